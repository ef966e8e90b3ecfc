//! The resistors between two layers.

use std::sync::Arc;

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor};

use crate::connection::{
    InitializerConfig, PreparedConnection, PreparedDense, Share, StatePair, draw,
};
use crate::fused::operations;
use crate::gradients::{Gradients, OuterProduct};

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

    /// Prepares the contribution of each layer to the drive of the other: `Σ_i g_ij v_i / a_j` forward
    /// and `Σ_j g_ij v_j / a_i` back, from one over the curvature of both layers, `[1, n_units]`.
    pub(super) fn prepare(&self, [of_first, of_second]: [&Tensor<2>; 2]) -> PreparedConnection {
        let conductance = self.conductance.val();
        let forth = conductance.clone() * of_second.clone();
        let back = conductance * of_first.clone().transpose();
        PreparedConnection::new(Arc::new(PreparedDense::new(forth, back)))
    }

    /// `∂E/∂g_ij = ½(v_i − v_j)²`, summed over the batch. The difference of two such squares is
    /// formed from the differences `Δ` and the sums `Σ` of the two states,
    ///
    /// ```text
    /// ½[(Δ_i Σ_i) + (Δ_j Σ_j) − Δ_i Σ_j − Σ_i Δ_j]
    /// ```
    ///
    /// which loses no digits when the states are close, and takes two matrix products and no tensor of
    /// the size of the batch times that of the conductances. A voltage source has `Δ_i = 0`.
    pub(super) fn contrast(
        &self,
        first_layer: StatePair<'_>,
        second_layer: StatePair<'_>,
        scale: f64,
        gradients: &mut Gradients,
    ) {
        let StatePair::Free(first, second) = second_layer else {
            unreachable!("no resistor leads into a voltage source");
        };
        // Of one layer: Σ_batch ½(v_first² − v_second²) = Σ_batch Δ Σ / 2
        let of_layer = |first: &Tensor<2>, second: &Tensor<2>| {
            let (difference, sum) = (
                first.clone() - second.clone(),
                first.clone() + second.clone(),
            );
            (difference * sum).sum_dim(0) * (0.5 * scale)
        };
        let factors = operations::factors(Share::Whole, first_layer, [first, second], -scale);
        let mut gradient = OuterProduct::new(factors).form() + of_layer(first, second);
        if let StatePair::Free(first, second) = first_layer {
            gradient = gradient + of_layer(first, second).transpose();
        }
        gradients.register(self.conductance.id, gradient);
    }

    /// The same resistors without those of negative conductance.
    pub(super) fn project(self) -> Self {
        let id = self.conductance.id;
        Self {
            conductance: self.conductance.map(|value| not_negative(value, id)),
        }
    }
}

/// `max(value, 0)`, still a trainable parameter if `value` was one: autodiff would see the result of an
/// operation.
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
