//! Backpropagation in the feedforward twin.

use burn::module::Module;
use burn::tensor::Tensor;
use eqprop_core::cost::Cost;
use eqprop_core::energy::{AnyField, HopfieldEnergy, ResistiveNetwork, VectorField};
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

/// A field with a feedforward twin.
pub trait Feedforward: VectorField {
    /// Whether there is a twin: whether every connection leads from a lower to a higher layer.
    fn has_twin(&self) -> bool;

    /// The layers in one pass.
    ///
    /// # Panics
    /// If the field [has no twin](Self::has_twin).
    fn forward(&self, input: &Tensor<2>) -> State;
}

impl Feedforward for HopfieldEnergy {
    fn has_twin(&self) -> bool {
        self.ends().iter().all(|(from, to)| from < to)
    }

    fn forward(&self, input: &Tensor<2>) -> State {
        assert!(
            self.has_twin(),
            "a feedforward twin needs connections that lead from lower to higher layers, but the \
             connections are {:?}",
            self.ends()
        );
        let mut values = vec![input.clone()];
        for (index, layer) in self.layers().iter().enumerate() {
            let incoming = self.connections.iter().zip(self.ends());
            let sent = incoming
                .filter(|(_, (_, to))| *to == index + 1)
                .map(|(connection, &(from, _))| connection.forward(values[from].clone()))
                .reduce(|sum, term| sum + term);
            let bias = self.bias(index);
            let drive = match sent {
                Some(sent) => sent + bias,
                None => bias.repeat_dim(0, input.dims()[0]),
            };
            values.push(layer.activation.apply(drive));
        }
        State::new(values.split_off(1))
    }
}

impl Feedforward for ResistiveNetwork {
    /// A resistor conducts both ways.
    fn has_twin(&self) -> bool {
        false
    }

    fn forward(&self, _input: &Tensor<2>) -> State {
        panic!("a resistive network has no feedforward twin: its resistors conduct both ways");
    }
}

impl Feedforward for AnyField {
    fn has_twin(&self) -> bool {
        match self {
            Self::Hopfield(field) => field.has_twin(),
            Self::Resistive(field) => field.has_twin(),
        }
    }

    fn forward(&self, input: &Tensor<2>) -> State {
        match self {
            Self::Hopfield(field) => field.forward(input),
            Self::Resistive(field) => field.forward(input),
        }
    }
}

/// One pass as the outcome of a free phase.
fn pass<E: Feedforward>(energy: &E, input: &Tensor<2>) -> Relaxed {
    let like = (&input.device(), input.dtype());
    Relaxed {
        state: energy.forward(input),
        residual: Tensor::zeros([input.dims()[0]], like),
        n_steps: 1,
        tolerance: None,
    }
}

impl<E: Feedforward, C: Cost> GradientEstimator<E, C> for FeedforwardBackprop {
    fn infer(
        &self,
        network: &EquilibriumNetwork<E, C>,
        input: &Tensor<2>,
        _start: Option<State>,
    ) -> Relaxed {
        pass(&network.energy, input)
    }

    fn estimate(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        _start: Option<State>,
    ) -> Estimate {
        let network = &network.clone().train();
        let batch = &detached(batch);
        let free = debug_span!("free_phase").in_scope(|| pass(&network.energy, &batch.input));
        let gradients = debug_span!("gradient").in_scope(|| {
            let cost = network.cost.value(free.state.output(), &batch.target);
            gradients(cost.mean(), network)
        });
        estimate(network, batch, free, None, gradients)
    }
}
