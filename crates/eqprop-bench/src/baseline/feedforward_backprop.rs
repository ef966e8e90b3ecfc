//! Backpropagation in the feedforward twin.

use burn::module::Module;
use burn::tensor::Tensor;
use eqprop_core::cost::Cost;
use eqprop_core::energy::{Energy, HopfieldEnergy};
use eqprop_core::relaxation::Relaxed;
use eqprop_core::state::State;
use eqprop_train::batch::Batch;
use eqprop_train::estimator::{Estimate, GradientEstimator};
use eqprop_train::network::EquilibriumNetwork;
use tracing::debug_span;

use super::bptt::gradients;
use super::{detached, estimate};

/// Burn's own backpropagation in the feedforward network of the same layers, activations and
/// parameters: every connection is used forward only.
///
/// ```text
/// s_k = σ_k(Σ_{j → k} f_θ(s_j) + b_k),   ĝ = d/dθ mean C(s_L)
/// ```
///
/// It is another function of the same parameters: its state is that of one pass, and no minimum
/// of the energy, whose value there is reported all the same. Its residual is 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct FeedforwardBackprop;

impl FeedforwardBackprop {
    /// Whether every connection leads from a lower to a higher layer, so that there is a twin.
    pub fn has_twin(energy: &HopfieldEnergy) -> bool {
        energy.ends().iter().all(|(from, to)| from < to)
    }

    /// The layers in one pass.
    ///
    /// # Panics
    /// If the energy [has no twin](Self::has_twin).
    fn forward(energy: &HopfieldEnergy, input: &Tensor<2>) -> Relaxed {
        assert!(
            Self::has_twin(energy),
            "a feedforward twin needs connections that lead from lower to higher layers, but the \
             connections are {:?}",
            energy.ends()
        );
        let mut values = vec![input.clone()];
        for (index, layer) in energy.layers().iter().enumerate() {
            let incoming = energy.connections.iter().zip(energy.ends());
            let sent = incoming
                .filter(|(_, (_, to))| *to == index + 1)
                .map(|(connection, &(from, _))| connection.forward(values[from].clone()))
                .reduce(|sum, term| sum + term);
            let bias = energy.bias(index);
            let drive = match sent {
                Some(sent) => sent + bias,
                None => bias.repeat_dim(0, input.dims()[0]),
            };
            values.push(layer.activation.apply(drive));
        }
        let like = (&input.device(), input.dtype());
        Relaxed {
            state: State::new(values.split_off(1)),
            residual: Tensor::zeros([input.dims()[0]], like),
            n_steps: 1,
            tolerance: None,
        }
    }
}

impl<C: Cost> GradientEstimator<HopfieldEnergy, C> for FeedforwardBackprop {
    fn infer(
        &self,
        network: &EquilibriumNetwork<HopfieldEnergy, C>,
        input: &Tensor<2>,
        _start: Option<State>,
    ) -> Relaxed {
        Self::forward(&network.energy, input)
    }

    fn estimate(
        &self,
        network: &EquilibriumNetwork<HopfieldEnergy, C>,
        batch: &Batch,
        _start: Option<State>,
    ) -> Estimate {
        let network = &network.clone().train();
        let batch = &detached(batch);
        let pass =
            debug_span!("free_phase").in_scope(|| Self::forward(&network.energy, &batch.input));
        let gradients = debug_span!("gradient").in_scope(|| {
            let cost = network.cost.value(pass.state.output(), &batch.target);
            gradients(cost.mean(), network)
        });
        estimate(network, batch, pass, None, gradients)
    }
}
