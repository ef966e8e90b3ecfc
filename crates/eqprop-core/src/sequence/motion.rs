//! Where a system is, and how it moves.

use burn::tensor::Tensor;

/// Positions `y` and momenta `z`, each `[batch, n_units]`.
#[derive(Debug, Clone)]
pub struct Motion {
    /// `y`
    pub position: Tensor<2>,
    /// `z`
    pub momentum: Tensor<2>,
}

impl Motion {
    /// The same place with the momenta reversed: from here a system that conserves energy goes back.
    pub fn reversed(self) -> Self {
        Self {
            momentum: self.momentum.neg(),
            ..self
        }
    }

    /// The same outside autodiff.
    pub fn without_autodiff(self) -> Self {
        Self {
            position: self.position.without_autodiff(),
            momentum: self.momentum.without_autodiff(),
        }
    }
}
