//! Backpropagation in the feedforward twin.

use burn::module::Module;
use burn::tensor::Tensor;
use eqprop_core::cost::Cost;
use eqprop_core::energy::{
    AnyField, HopfieldEnergy, PredictiveCoding, ResistiveNetwork, UntiedHopfield, VectorField,
};
use eqprop_core::relaxation::Relaxed;
use eqprop_core::state::State;
use eqprop_train::batch::Batch;
use eqprop_train::estimator::{Estimate, GradientEstimator};
use eqprop_train::network::EquilibriumNetwork;
use tracing::debug_span;

use super::bptt::gradients;
use super::{detached, estimate, measure};

/// Burn's own backpropagation in the feedforward network of the same layers, activations and
/// parameters: every connection is used forward only.
///
/// ```text
/// s_k = σ_k(Σ_{j → k} f_θ(s_j) + b_k),   ĝ = d/dθ mean C(s_L)
/// ```
///
/// Of a Hopfield energy it is another function of the same parameters: its state is that of one
/// pass, and no minimum of the energy, whose value there is reported all the same. Of a predictive
/// coding network it is the same function, and its state the free equilibrium. Its residual is 0.
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

    /// The energy of each example and the drive of the output, in the state of a pass.
    fn measure(&self, input: &Tensor<2>, pass: &State) -> (Option<Tensor<1>>, Tensor<2>) {
        measure(self, input, pass)
    }
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

/// Through the forward parameters; those of the feedback have gradient 0.
impl Feedforward for UntiedHopfield {
    fn has_twin(&self) -> bool {
        self.forward.has_twin()
    }

    fn forward(&self, input: &Tensor<2>) -> State {
        Feedforward::forward(&self.forward, input)
    }
}

impl Feedforward for PredictiveCoding {
    fn has_twin(&self) -> bool {
        true
    }

    fn forward(&self, input: &Tensor<2>) -> State {
        self.forward(input)
    }

    /// Known without another pass: there is no energy.
    fn measure(&self, input: &Tensor<2>, pass: &State) -> (Option<Tensor<1>>, Tensor<2>) {
        let last = self.layers().len() - 1;
        let below = last.checked_sub(1).map_or(input, |below| pass.layer(below));
        let energy = pass.output().zeros_like().sum_dim(1).squeeze_dim(1);
        (Some(energy), self.drive_from_below(last, below))
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
            Self::Untied(field) => field.has_twin(),
            Self::PredictiveCoding(field) => field.has_twin(),
            Self::Resistive(field) => field.has_twin(),
        }
    }

    fn forward(&self, input: &Tensor<2>) -> State {
        match self {
            Self::Hopfield(field) => field.forward(input),
            Self::Untied(field) => Feedforward::forward(field, input),
            Self::PredictiveCoding(field) => field.forward(input),
            Self::Resistive(field) => field.forward(input),
        }
    }

    fn measure(&self, input: &Tensor<2>, pass: &State) -> (Option<Tensor<1>>, Tensor<2>) {
        match self {
            Self::Hopfield(field) => field.measure(input, pass),
            Self::Untied(field) => field.measure(input, pass),
            Self::PredictiveCoding(field) => field.measure(input, pass),
            Self::Resistive(field) => field.measure(input, pass),
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
        estimate(network, batch, free, None, gradients, E::measure)
    }
}
