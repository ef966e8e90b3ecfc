//! The devices and number formats that equations are checked on.

use burn::tensor::{DType, Device, Tensor, TensorData};
use eqprop_core::relaxation::{Relaxation, Scheme};

/// A device and a number format, with the accuracy of exact results on them.
pub struct Setup {
    /// Name in messages.
    pub name: &'static str,
    /// Device of the tensors.
    pub device: Device,
    /// Number format of the tensors.
    pub dtype: DType,
    /// Largest error of a number of order 1, directly computed or at an equilibrium.
    pub tolerance: f64,
    /// Largest error of a gradient estimated at |β| = 0.01: the contrast of two states is
    /// divided by β, and so are their errors.
    pub gradient_tolerance: f64,
}

impl Setup {
    /// Returns flex in `f64`. A relaxation ends within 1e-13 of its fixed point; networks that respond
    /// tenfold and β = 0.01 bring that to 1e-10.
    pub fn double() -> Self {
        Self {
            name: "flex f64",
            device: Device::flex(),
            dtype: DType::F64,
            tolerance: 1e-11,
            gradient_tolerance: 1e-9,
        }
    }

    /// Returns flex in `f32`.
    pub fn single() -> Self {
        Self::single_on("flex f32", Device::flex())
    }

    /// Returns single precision on `device`: one rounding is 6e-8, sums of some ten terms make it 1e-6,
    /// and division by β = 0.01 makes that 1e-4.
    pub fn single_on(name: &'static str, device: Device) -> Self {
        Self {
            name,
            device,
            dtype: DType::F32,
            tolerance: 1e-5,
            gradient_tolerance: 1e-4,
        }
    }

    /// Returns flex in both formats.
    pub fn both() -> [Self; 2] {
        [Self::double(), Self::single()]
    }

    /// Returns `double` in `f64`, else `single`.
    pub fn choose<T>(&self, double: T, single: T) -> T {
        match self.dtype {
            DType::F64 => double,
            _ => single,
        }
    }

    /// Returns the largest change that a converged iteration still makes: some roundings, magnified
    /// tenfold by the response of the network.
    pub fn rest(&self) -> f64 {
        self.choose(1e-14, 1e-6)
    }

    /// Returns a free phase that converges, with enough steps for every small network.
    pub fn free(&self) -> Relaxation {
        Relaxation::steps(Scheme::Asynchronous, 2000).with_tolerance(self.rest())
    }

    /// Creates a tensor of `values`, row by row.
    pub fn tensor<const D: usize>(&self, values: Vec<f64>, shape: [usize; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(values, shape), (&self.device, self.dtype))
    }

    /// Creates one number as `[1, 1]`, such as a β for all examples.
    pub fn number(&self, value: f64) -> Tensor<2> {
        self.tensor(vec![value], [1, 1])
    }

    /// Creates one-hot targets, one class per row.
    pub fn one_hot(&self, classes: &[usize], n_classes: usize) -> Tensor<2> {
        let entry = |class: usize| (0..n_classes).map(move |c| f64::from(u8::from(c == class)));
        let entries = classes.iter().flat_map(|&class| entry(class)).collect();
        self.tensor(entries, [classes.len(), n_classes])
    }
}
