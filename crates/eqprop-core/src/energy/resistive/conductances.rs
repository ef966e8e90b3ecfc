//! The resistors between two layers.

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor};

use crate::connection::{Contrast, InitializerConfig, draw, transposed};
use crate::gradients::Gradients;

/// A resistor between every node of one layer and every node of the next.
#[derive(Module, Debug)]
pub struct Conductances {
    /// Conductances `g`, `[n_in, n_out]`, at least 0.
    pub conductance: Param<Tensor<2>>,
}

impl Conductances {
    pub(super) fn new(
        initializer: InitializerConfig,
        n_in: usize,
        n_out: usize,
        device: &Device,
    ) -> Self {
        let conductance = draw(initializer, [n_in, n_out], (n_in, n_out), device);
        Self { conductance }.project()
    }

    /// The total conductance at each node of the first layer, `Σ_j g_ij`.
    ///
    /// # Shapes
    /// - output: `[1, n_in]`
    pub(super) fn of_first(&self) -> Tensor<2> {
        self.conductance.val().sum_dim(1).swap_dims(0, 1)
    }

    /// The total conductance at each node of the second layer, `Σ_i g_ij`.
    ///
    /// # Shapes
    /// - output: `[1, n_out]`
    pub(super) fn of_second(&self) -> Tensor<2> {
        self.conductance.val().sum_dim(0)
    }

    pub(super) fn operator(&self) -> ConductancesOperator {
        let conductance = self.conductance.val();
        ConductancesOperator {
            transposed: transposed(conductance.clone()),
            conductance,
        }
    }

    /// `∂E/∂g_ij = ½(v_i − v_j)²`, summed over the batch. The difference of two such squares is
    /// formed from the differences `Δ` and the sums `Σ` of the two states,
    ///
    /// ```text
    /// ½[(Δ_i Σ_i) + (Δ_j Σ_j) − Δ_i Σ_j − Σ_i Δ_j]
    /// ```
    ///
    /// which loses no digits when the states are close, and takes two products of matrices and
    /// nothing of the size of the batch times that of the conductances. A voltage source has
    /// `Δ_i = 0`.
    pub(super) fn contrast(
        &self,
        first_layer: Contrast<'_>,
        second_layer: Contrast<'_>,
        scale: f64,
        gradients: &mut Gradients,
    ) {
        let Contrast::Free(first, second) = second_layer else {
            unreachable!("no resistor leads into a voltage source");
        };
        let difference = (first.clone() - second.clone()) * scale;
        let half_sum = (first.clone() + second.clone()) * 0.5;
        let of_second = (difference.clone() * half_sum.clone()).sum_dim(0);
        let gradient = match first_layer {
            Contrast::Clamped(sources) => {
                // −Σ_i Δ_j / 2 = −v_i Δ_j
                sources.clone().transpose().matmul(difference.neg()) + of_second
            }
            Contrast::Free(first, second) => {
                let difference_in = (first.clone() - second.clone()) * scale;
                let half_sum_in = (first.clone() + second.clone()) * 0.5;
                let of_first = (difference_in.clone() * half_sum_in.clone()).sum_dim(0);
                let products = difference_in.transpose().matmul(half_sum)
                    + half_sum_in.transpose().matmul(difference);
                of_first.transpose() + of_second - products
            }
        };
        gradients.register(self.conductance.id, gradient);
    }

    /// The same resistors, those with a negative conductance removed.
    pub(super) fn project(self) -> Self {
        let id = self.conductance.id;
        Self {
            conductance: self.conductance.map(|value| not_negative(value, id)),
        }
    }
}

/// `max(value, 0)`, as much a parameter of a training as `value` was: autodiff would see the result
/// of an operation.
fn not_negative(value: Tensor<2>, id: ParamId) -> Tensor<2> {
    if !value.is_autodiff() {
        return value.clamp_min(0.0);
    }
    let (is_trained, is_distributed) = (value.is_require_grad(), value.is_distributed());
    let mut projected = value.set_require_grad(false).clamp_min(0.0);
    if is_trained {
        projected = projected.require_grad();
    }
    if is_distributed {
        projected = projected.set_distributed(id);
    }
    projected
}

/// [`Conductances`] held in both orders.
#[derive(Debug, Clone)]
pub(super) struct ConductancesOperator {
    conductance: Tensor<2>,
    transposed: Tensor<2>,
}

impl ConductancesOperator {
    /// `Σ_i v_i g_ij`.
    ///
    /// # Shapes
    /// - `first`: `[batch, n_in]`, output: `[batch, n_out]`
    pub fn forward(&self, first: Tensor<2>) -> Tensor<2> {
        first.matmul(self.conductance.clone())
    }

    /// `Σ_j g_ij v_j`.
    ///
    /// # Shapes
    /// - `second`: `[batch, n_out]`, output: `[batch, n_in]`
    pub fn backward(&self, second: Tensor<2>) -> Tensor<2> {
        second.matmul(self.transposed.clone())
    }
}
