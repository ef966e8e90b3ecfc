//! Backpropagation in the feedforward twin of a network.

use burn::module::Module;
use burn::tensor::Tensor;
use eqprop_core::cost::Cost;
use eqprop_core::energy::{Twin, VectorField};
use eqprop_core::relaxation::Relaxed;
use eqprop_core::state::State;
use eqprop_train::batch::Batch;
use eqprop_train::estimator::{Estimate, GradientEstimator};
use eqprop_train::network::{EquilibriumNetwork, FreePhase};
use tracing::debug_span;

use super::gradients;

/// Burn's own backpropagation in the feedforward network with the same layers, activations and parameters,
/// where every connection is used in the forward direction only.
///
/// ```text
/// s_k = σ_k(Σ_{j → k} f_θ(s_j) + b_k),   ĝ = d/dθ mean C(s_L)
/// ```
///
/// For a Hopfield energy the twin is a different function of the same parameters: its state is that of one
/// forward pass and not a minimum of the energy, whose value there is still reported. For a predictive coding
/// network it is the same function, and its state is the free equilibrium. The residual is 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct FeedforwardBackprop;

/// Presents the forward pass as the outcome of a free phase; the start state is ignored.
impl<E: VectorField, C: Cost> FreePhase<E, C> for FeedforwardBackprop {
    /// # Panics
    /// If the field [has no twin](VectorField::twin), with the reason.
    fn run(
        &self,
        network: &EquilibriumNetwork<E, C>,
        input: &Tensor<2>,
        _clamped: &E::Clamped,
        _start: Option<State>,
    ) -> Relaxed {
        relaxed(twin(&network.energy, input).state)
    }
}

impl<E: VectorField, C: Cost> GradientEstimator<E, C> for FeedforwardBackprop {
    fn free_phase(&self) -> &dyn FreePhase<E, C> {
        self
    }

    /// # Panics
    /// If the field [has no twin](VectorField::twin), with the reason.
    fn estimate(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        _start: Option<State>,
    ) -> Estimate {
        let network = &network.clone().train();
        let input = &batch.input.clone().without_autodiff();
        let target = &batch.target.clone().without_autodiff();
        let pass = debug_span!("free_phase").in_scope(|| twin(&network.energy, input));
        let gradients = debug_span!("gradient").in_scope(|| {
            let cost = network.cost.summed_value(&pass.state, target);
            gradients(cost.mean(), network)
        });
        let judged = (&network.cost.valid(), target);
        let free = relaxed(pass.state);
        Estimate::new(
            gradients,
            free,
            None,
            judged,
            pass.energy,
            pass.output_drive,
        )
    }
}

fn twin<E: VectorField>(energy: &E, input: &Tensor<2>) -> Twin {
    let twin = energy.twin(input);
    twin.unwrap_or_else(|reason| panic!("{reason}"))
}

/// Wraps the state of a forward pass, with residual 0.
fn relaxed(state: State) -> Relaxed {
    let output = state.output();
    let like = (&output.device().without_autodiff(), output.dtype());
    Relaxed {
        residual: Tensor::zeros([state.batch_size()], like),
        state,
        n_steps: 1,
        tolerance: None,
    }
}
