//! Clamped units of a layer.

use burn::tensor::{Bool, Tensor};

use crate::activation::Complex;
use crate::fused::operations::repeated;

/// The clamped units of a layer, chosen for each example.
#[derive(Debug, Clone)]
pub struct HeldUnits {
    is_held: Tensor<2, Bool>,
    /// Their clamped values; 0 for the others.
    values: Tensor<2>,
}

impl HeldUnits {
    /// Clamps the units whose value is a number, and leaves those free whose value is not (NaN).
    ///
    /// # Shapes
    /// - `values`: `[batch, n_units]`
    pub fn known(values: Tensor<2>) -> Self {
        let is_free = values.clone().is_nan();
        Self {
            values: values.mask_fill(is_free.clone(), 0.0),
            is_held: is_free.bool_not(),
        }
    }

    /// Returns the layer with these units at their clamped values and the others unchanged.
    ///
    /// # Shapes
    /// - `layer` and output: `[batch, n_units]`
    pub fn hold(&self, layer: Tensor<2>) -> Tensor<2> {
        layer.mask_where(self.is_held.clone(), self.values.clone())
    }

    /// Returns the layer with the free units set to 0.
    ///
    /// # Shapes
    /// - `layer` and output: `[batch, n_units]`
    pub fn of_held(&self, layer: Tensor<2>) -> Tensor<2> {
        layer.mask_fill(self.is_held.clone().bool_not(), 0.0)
    }

    /// Returns the layer with the clamped units set to 0.
    ///
    /// # Shapes
    /// - `layer` and output: `[batch, n_units]`
    pub fn of_free(&self, layer: Tensor<2>) -> Tensor<2> {
        layer.mask_fill(self.is_held.clone(), 0.0)
    }

    /// Repeats the units `n` times along the batch axis.
    pub fn repeat(&self, n: usize) -> Self {
        Self {
            is_held: self.is_held.clone().repeat_dim(0, n),
            values: repeated(&self.values, n),
        }
    }

    /// The clamped units of a complex layer, from these repeated twice: their imaginary parts are 0.
    pub(super) fn complex(&self) -> Self {
        let Complex { re, im } = Complex::split(&self.values);
        let im = im.zeros_like();
        Self {
            values: Complex { re, im }.stack(),
            is_held: self.is_held.clone(),
        }
    }
}
