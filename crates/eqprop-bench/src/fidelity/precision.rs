//! The number format of an examination.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Tensor};
use eqprop_core::relaxation::Stopping;
use eqprop_train::batch::Batch;
use serde::{Deserialize, Serialize};

/// The number format that an examination computes in: errors of an estimate smaller than its
/// rounding errors, which are divided by β, cannot be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Precision {
    /// 64 bits.
    #[serde(rename = "f64")]
    Double,
    /// 32 bits, where the device has no more.
    #[serde(rename = "f32")]
    Single,
}

/// The most steps of a relaxation that is to converge. A network that needs more is reported with
/// the residual it has.
const MOST_STEPS: usize = 3000;

impl Precision {
    /// The best that a device has.
    pub fn of(device: &Device) -> Self {
        if device.supports_dtype(DType::F64) {
            Self::Double
        } else {
            Self::Single
        }
    }

    /// The one for `f64` or the one for `f32`.
    pub(super) fn choose<T>(self, double: T, single: T) -> T {
        match self {
            Self::Double => double,
            Self::Single => single,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.choose("f64", "f32")
    }

    /// Its type of numbers.
    pub fn dtype(self) -> DType {
        self.choose(DType::F64, DType::F32)
    }

    /// The residual at which a state of numbers of order 1 counts as converged: a hundred to a
    /// thousand times the spacing of the numbers, which sums over hundreds of units come to.
    pub(super) fn tolerance(self) -> f64 {
        self.choose(1e-13, 3e-6)
    }

    /// A small nudging factor whose rounding errors, the tolerance divided by it, are still
    /// smaller than its effect.
    pub(super) fn stepwise_beta(self) -> f64 {
        self.choose(1e-4, 1e-2)
    }

    /// When a phase, or a costate, that is to converge stops.
    pub(super) fn stopping(self) -> Stopping {
        Stopping {
            max_steps: MOST_STEPS,
            tolerance: Some(self.tolerance()),
            check_every: 10,
        }
    }

    /// A module with its parameters in this format, outside autodiff.
    pub fn network<M: Module>(self, module: M) -> M {
        struct Cast(DType);

        impl ModuleMapper for Cast {
            fn map_float<const D: usize>(
                &mut self,
                parameter: Param<Tensor<D>>,
            ) -> Param<Tensor<D>> {
                parameter.map(|tensor| tensor.cast(self.0))
            }
        }

        module.valid().map(&mut Cast(self.dtype()))
    }

    /// A batch in this format, outside autodiff.
    pub fn batch(self, batch: &Batch) -> Batch {
        let cast = |tensor: &Tensor<2>| tensor.clone().without_autodiff().cast(self.dtype());
        Batch {
            input: cast(&batch.input),
            target: cast(&batch.target),
            indices: batch.indices.clone(),
        }
    }
}
