//! A predictive coding network with its input clamped.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use burn::tensor::Tensor;

use super::PredictiveCoding;
use crate::activation::Activation;
use crate::connection::Winners;
#[cfg(feature = "flex")]
use crate::cpu;
use crate::energy::Interaction;
use crate::state::{State, Version};

/// A [`PredictiveCoding`] network with its input clamped.
///
/// Both neighbors of a connection ask for the prediction that goes through it, in every step, and
/// in between it seldom changes: each is computed once for each [version](State::version) of the
/// layer that it is made from. Clones share what they have computed.
#[derive(Debug, Clone)]
pub struct ClampedPredictiveCoding {
    /// The prediction of the first layer, from the input.
    first: Prediction,
    /// What predicts each layer above it.
    predictors: Vec<Predictor>,
    pass: Arc<OnceLock<ForwardPass>>,
    /// The last prediction of each layer above the first, with what it was made from.
    latest: Arc<Mutex<Vec<Latest>>>,
}

/// A prediction, and the version of the layer that it was made from.
type Latest = Option<(Version, Prediction)>;

/// What predicts a layer from the one below.
#[derive(Debug, Clone)]
struct Predictor {
    interaction: Interaction,
    bias: Tensor<2>,
    activation: Activation,
}

/// What is predicted of a layer.
#[derive(Debug, Clone)]
pub(super) struct Prediction {
    /// The pre-activation `a_k`, `[batch, n_units]`.
    pub drive: Tensor<2>,
    /// `f_k = σ_k(a_k)`, `[batch, n_units]`.
    pub value: Tensor<2>,
    /// Of the connection that makes it.
    pub winners: Winners,
}

/// The state in which each layer is as predicted.
#[derive(Debug)]
struct ForwardPass {
    state: State,
    /// The predictions of the layers above the first.
    predictions: Vec<Prediction>,
}

impl Predictor {
    fn predict(&self, below: &Tensor<2>) -> Prediction {
        #[cfg(feature = "flex")]
        if let Some([drive, value]) =
            cpu::predict(&self.interaction, below, &self.bias, self.activation)
        {
            let winners = Winners::all();
            return Prediction {
                drive,
                value,
                winners,
            };
        }
        let operator = &self.interaction.operator;
        let (sent, winners) = operator.forward_with_winners(below.clone());
        Prediction::new(sent + self.bias.clone(), self.activation, winners)
    }
}

impl Prediction {
    pub fn new(drive: Tensor<2>, activation: Activation, winners: Winners) -> Self {
        Self {
            value: activation.apply(drive.clone()),
            drive,
            winners,
        }
    }

    fn repeat(&self, n: usize) -> Self {
        Self {
            drive: self.drive.clone().repeat_dim(0, n),
            value: self.value.clone().repeat_dim(0, n),
            winners: self.winners.repeat(n),
        }
    }
}

impl ForwardPass {
    fn repeat(&self, n: usize) -> Self {
        Self {
            state: self.state.repeat(n),
            predictions: self.predictions.iter().map(|p| p.repeat(n)).collect(),
        }
    }
}

impl ClampedPredictiveCoding {
    pub(super) fn new(network: &PredictiveCoding, input: &Tensor<2>) -> Self {
        let activation = |layer: usize| network.activations[layer];
        let above = network.connections.iter().enumerate().skip(1);
        let predictors = above.map(|(layer, connection)| Predictor {
            interaction: Interaction::new(layer - 1, layer, connection.operator()),
            bias: network.bias(layer),
            activation: activation(layer),
        });
        let predictors: Vec<_> = predictors.collect();
        let (sent, winners) = network.connections[0].forward_with_winners(input.clone());
        Self {
            first: Prediction::new(sent + network.bias(0), activation(0), winners),
            pass: Arc::default(),
            latest: Arc::new(Mutex::new(vec![None; predictors.len()])),
            predictors,
        }
    }

    pub(super) fn repeat(&self, n: usize) -> Self {
        if n == 1 {
            return self.clone();
        }
        let pass = self.pass.get().map(|pass| pass.repeat(n));
        Self {
            first: self.first.repeat(n),
            predictors: self.predictors.clone(),
            pass: Arc::new(pass.map_or_else(OnceLock::new, OnceLock::from)),
            latest: Arc::new(Mutex::new(vec![None; self.predictors.len()])),
        }
    }

    /// The state in which each layer is as predicted.
    pub(super) fn forward_pass(&self) -> State {
        if let Some(pass) = self.pass.get() {
            return pass.state.clone();
        }
        let mut layers = vec![self.first.value.clone()];
        let mut predictions = Vec::new();
        for (below, predictor) in self.predictors.iter().enumerate() {
            let prediction = predictor.predict(&layers[below]);
            layers.push(prediction.value.clone());
            predictions.push(prediction);
        }
        let state = State::new(layers);
        // On autodiff an error of 0 still depends on what it is made of: there each step is taken.
        if !state.output().is_autodiff() {
            let pass = ForwardPass {
                state: state.clone(),
                predictions,
            };
            // Another thread may have been faster, and its state would be another version.
            return self.pass.get_or_init(|| pass).state.clone();
        }
        state
    }

    /// Whether `layer` and the layer below are as in the forward pass, so that the error is 0.
    pub(super) fn is_predicted(&self, layer: usize, state: &State) -> bool {
        let Some(pass) = self.pass.get() else {
            return false;
        };
        let mut layers = layer.saturating_sub(1)..=layer;
        layers.all(|layer| state.version(layer) == pass.state.version(layer))
    }

    /// What the layer below predicts of `layer`.
    pub(super) fn prediction(&self, layer: usize, state: &State) -> Prediction {
        let Some(below) = layer.checked_sub(1) else {
            return self.first.clone();
        };
        let version = state.version(below);
        if let Some(pass) = self.pass.get()
            && pass.state.version(below) == version
        {
            return pass.predictions[below].clone();
        }
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        match &latest[below] {
            Some((found, prediction)) if *found == version => prediction.clone(),
            _ => {
                let prediction = self.predictors[below].predict(state.layer(below));
                latest[below] = Some((version, prediction.clone()));
                prediction
            }
        }
    }

    /// The error of `layer` at its pre-activation, passed back to the layer below.
    pub(super) fn backward(
        &self,
        layer: usize,
        error: Tensor<2>,
        prediction: &Prediction,
    ) -> Tensor<2> {
        let predictor = &self.predictors[layer - 1];
        let operator = &predictor.interaction.operator;
        operator.backward_through(error, &prediction.winners)
    }

    /// The forward pass if it was made, the pre-activations in it, and the connections above the
    /// first layer with their biases.
    #[cfg(feature = "flex")]
    #[allow(clippy::type_complexity, reason = "taken apart at once")]
    pub(super) fn chain(
        &self,
    ) -> Option<(&State, Vec<&Tensor<2>>, Vec<(&Interaction, &Tensor<2>)>)> {
        let pass = self.pass.get()?;
        let above = pass.predictions.iter().map(|prediction| &prediction.drive);
        let links = self.predictors.iter().map(|p| (&p.interaction, &p.bias));
        let drives = core::iter::once(&self.first.drive).chain(above);
        Some((&pass.state, drives.collect(), links.collect()))
    }

    /// Keeps the predictions of the layers above the first that a state makes.
    #[cfg(feature = "flex")]
    pub(super) fn keep(&self, state: &State, predictions: Vec<Prediction>) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        for (below, (latest, prediction)) in latest.iter_mut().zip(predictions).enumerate() {
            *latest = Some((state.version(below), prediction));
        }
    }
}
