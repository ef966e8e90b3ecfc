//! Positions and momenta of a system.

use burn::tensor::Tensor;

/// Positions `y` and momenta `z`, each `[batch, n_units]`.
#[derive(Debug, Clone)]
pub struct Motion {
    /// Positions `y`.
    pub position: Tensor<2>,
    /// Momenta `z`.
    pub momentum: Tensor<2>,
}

impl Motion {
    /// Returns the same positions with reversed momenta: from here a system that conserves energy goes
    /// back.
    pub fn reversed(self) -> Self {
        Self {
            momentum: self.momentum.neg(),
            ..self
        }
    }

    /// Returns the same outside autodiff.
    pub fn without_autodiff(self) -> Self {
        Self {
            position: self.position.without_autodiff(),
            momentum: self.momentum.without_autodiff(),
        }
    }
}
