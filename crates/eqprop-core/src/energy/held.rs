//! Units that are held.

use burn::tensor::{Bool, Tensor};

use crate::activation::Complex;
use crate::state::repeated;

/// The clamped units of a layer, of each example its own.
#[derive(Debug, Clone)]
pub struct HeldUnits {
    is_held: Tensor<2, Bool>,
    /// Where they are held; 0 of the others.
    values: Tensor<2>,
}

impl HeldUnits {
    /// Holds the units whose value is a number, and leaves those free whose value is not (NaN).
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

    /// The layer with these units where they are held, and the others as they are.
    ///
    /// # Shapes
    /// - `layer` and output: `[batch, n_units]`
    pub fn hold(&self, layer: Tensor<2>) -> Tensor<2> {
        layer.mask_where(self.is_held.clone(), self.values.clone())
    }

    /// What is of these units alone, 0 of the others.
    ///
    /// # Shapes
    /// - `layer` and output: `[batch, n_units]`
    pub fn of_held(&self, layer: Tensor<2>) -> Tensor<2> {
        layer.mask_fill(self.is_held.clone().bool_not(), 0.0)
    }

    /// What is of the free units alone, 0 of these.
    ///
    /// # Shapes
    /// - `layer` and output: `[batch, n_units]`
    pub fn of_free(&self, layer: Tensor<2>) -> Tensor<2> {
        layer.mask_fill(self.is_held.clone(), 0.0)
    }

    /// Repeated along the batch axis, `n` times one after the other.
    pub fn repeat(&self, n: usize) -> Self {
        Self {
            is_held: self.is_held.clone().repeat_dim(0, n),
            values: repeated(&self.values, n),
        }
    }

    /// Of a complex layer, of which these are twice the units that are held: their imaginary parts are 0.
    pub(super) fn complex(&self) -> Self {
        let Complex { re, im } = Complex::split(&self.values);
        let im = im.zeros_like();
        Self {
            values: Complex { re, im }.stack(),
            is_held: self.is_held.clone(),
        }
    }
}
