//! The number format of an examination.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Tensor};
use eqprop_core::relaxation::Stopping;
use eqprop_train::batch::Batch;
use serde::{Deserialize, Serialize};

/// The number format of an examination. Errors of an estimate below the rounding errors, which are divided by
/// β, cannot be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Precision {
    /// 64 bits.
    #[serde(rename = "f64")]
    Double,
    /// 32 bits, for devices without 64.
    #[serde(rename = "f32")]
    Single,
}

/// The most steps of a relaxation that is to converge. A network that needs more is reported with the
/// residual it has reached.
const MOST_STEPS: usize = 3000;

impl Precision {
    /// Returns the most precise format of a device.
    pub fn of(device: &Device) -> Self {
        if device.supports_dtype(DType::F64) {
            Self::Double
        } else {
            Self::Single
        }
    }

    /// Returns `double` for `f64`, `single` for `f32`.
    pub(super) fn choose<T>(self, double: T, single: T) -> T {
        match self {
            Self::Double => double,
            Self::Single => single,
        }
    }

    /// Returns the name.
    pub fn name(self) -> &'static str {
        self.choose("f64", "f32")
    }

    /// Returns the data type.
    pub fn dtype(self) -> DType {
        self.choose(DType::F64, DType::F32)
    }

    /// Returns the residual at which a state with values of order 1 counts as converged: a hundred to a
    /// thousand times the spacing of the numbers, which is the rounding error of sums over hundreds of units.
    pub(super) fn tolerance(self) -> f64 {
        self.choose(1e-13, 3e-6)
    }

    /// Returns a small nudging factor whose rounding error, the tolerance divided by it, is still below its
    /// effect.
    pub(super) fn stepwise_beta(self) -> f64 {
        self.choose(1e-4, 1e-2)
    }

    /// Returns the stopping rule of a phase, or of a costate, that is to converge.
    pub(super) fn stopping(self) -> Stopping {
        Stopping {
            max_steps: MOST_STEPS,
            tolerance: Some(self.tolerance()),
            check_every: 10,
        }
    }

    /// Converts the parameters of a module to this format, outside autodiff.
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

    /// Converts a batch to this format, outside autodiff.
    pub fn batch(self, batch: &Batch) -> Batch {
        let cast = |tensor: &Tensor<2>| tensor.clone().without_autodiff().cast(self.dtype());
        Batch {
            input: cast(&batch.input),
            target: cast(&batch.target),
            indices: batch.indices.clone(),
        }
    }
}
