//! A predictive coding network with its input clamped.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use burn::tensor::Tensor;

use super::rule::Rule;
use crate::activation::Activation;
use crate::connection::PoolIndices;
use crate::energy::graph::Edge;
use crate::fused::operations::{self, repeated};
use crate::state::{State, Version};

/// A chain of predictions with its input clamped.
///
/// Both neighbors of a connection need its prediction, in every step, and in between it seldom changes:
/// each is computed once for each [version](State::version) of the layer below. Clones share the
/// computed predictions.
#[derive(Debug, Clone)]
pub struct ClampedPredictions {
    /// The input of one of `n_copies` copies.
    input: Tensor<2>,
    n_copies: usize,
    /// The prediction of the first layer, from the input.
    first: Prediction,
    /// The predictors of the layers above the first.
    pub(super) predictors: Vec<Predictor>,
    pass: Arc<OnceLock<ForwardPass>>,
    /// The last prediction of each layer above the first, with the version of the layer below.
    latest: Arc<Mutex<Vec<Latest>>>,
}

/// A prediction, and the version of the layer that it was made from.
type Latest = Option<(Version, Prediction)>;

/// A connection, bias and rule that predict a layer from the layer below.
#[derive(Debug, Clone)]
pub(super) struct Predictor {
    pub edge: Edge,
    pub bias: Tensor<2>,
    pub rule: Rule,
}

/// The prediction of a layer.
#[derive(Debug, Clone)]
pub(super) struct Prediction {
    /// The pre-activation `a_k`, `[batch, n_units]`.
    pub drive: Tensor<2>,
    /// `f_k = σ_k(a_k)`, `[batch, n_units]`.
    pub value: Tensor<2>,
    /// The indices of the connection that makes it.
    pub indices: PoolIndices,
    /// `ρ(h_{k−1})`, `[batch, n_in]`; `None` if the layer below is sent unchanged.
    pub sent: Option<Tensor<2>>,
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
        let rule = &self.rule;
        let response = rule.response.response().filter(|_| rule.is_plain());
        let fast = response.and_then(|response| {
            operations::prediction(self.edge.as_data()?, below, &self.bias, response)
        });
        if let Some([drive, value]) = fast {
            return Prediction {
                drive,
                value,
                indices: PoolIndices::all(),
                sent: None,
            };
        }
        let sent = rule.sent.apply(below.clone());
        let (arrived, indices) = self.edge.connection.forward_with_indices(sent.clone());
        let drive = rule.drive(arrived + self.bias.clone(), below);
        Prediction {
            sent: (rule.sent != Activation::Identity).then_some(sent),
            ..Prediction::new(drive, rule.response, indices)
        }
    }
}

impl Prediction {
    /// The prediction from a layer below that is sent unchanged.
    pub fn new(drive: Tensor<2>, activation: Activation, indices: PoolIndices) -> Self {
        Self {
            value: activation.apply(drive.clone()),
            drive,
            indices,
            sent: None,
        }
    }

    fn repeat(&self, n: usize) -> Self {
        Self {
            drive: repeated(&self.drive, n),
            value: repeated(&self.value, n),
            indices: self.indices.repeat(n),
            sent: self.sent.as_ref().map(|sent| repeated(sent, n)),
        }
    }
}

impl ClampedPredictions {
    /// From the prediction of the first layer, and the predictors of the others.
    pub(super) fn new(input: &Tensor<2>, first: Prediction, predictors: Vec<Predictor>) -> Self {
        Self {
            input: input.clone(),
            n_copies: 1,
            first,
            pass: Arc::default(),
            latest: Arc::new(Mutex::new(vec![None; predictors.len()])),
            predictors,
        }
    }

    /// The input of all copies.
    pub(super) fn input(&self) -> Tensor<2> {
        repeated(&self.input, self.n_copies)
    }

    pub(super) fn repeat(&self, n: usize) -> Self {
        if n == 1 {
            return self.clone();
        }
        let pass = self.pass.get().map(|pass| ForwardPass {
            state: pass.state.repeat(n),
            predictions: pass.predictions.iter().map(|p| p.repeat(n)).collect(),
        });
        Self {
            n_copies: self.n_copies * n,
            first: self.first.repeat(n),
            pass: Arc::new(pass.map_or_else(OnceLock::new, OnceLock::from)),
            latest: Arc::new(Mutex::new(vec![None; self.predictors.len()])),
            ..self.clone()
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

    /// The prediction of `layer` from the layer below.
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

    /// `(∂a_k/∂h_{k−1})ᵀ error` of the layer above free layer `below`, for an error at its `a_k`.
    pub(super) fn pull_back(
        &self,
        below: usize,
        prediction: &Prediction,
        error: Tensor<2>,
    ) -> Tensor<2> {
        let Predictor { edge, rule, .. } = &self.predictors[below];
        let back = rule.scaled(error.clone());
        let back = edge.connection.backward_through(back, &prediction.indices);
        rule.pull_back(error, back, prediction.sent.as_ref())
    }

    /// Keeps the predictions that a state makes of the layers above the first, from their `a_k`, for layers
    /// that are sent unchanged.
    pub(super) fn keep(&self, state: &State, drives: Vec<Tensor<2>>) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let made = drives.into_iter().zip(&self.predictors);
        for (below, (latest, (drive, predictor))) in latest.iter_mut().zip(made).enumerate() {
            let prediction = Prediction::new(drive, predictor.rule.response, PoolIndices::all());
            *latest = Some((state.version(below), prediction));
        }
    }

    /// The forward pass and its `a_k`, from the first layer on, if it was made.
    pub(super) fn made_pass(&self) -> Option<(&State, Vec<&Tensor<2>>)> {
        let pass = self.pass.get()?;
        let above = pass.predictions.iter().map(|prediction| &prediction.drive);
        let drives = [&self.first.drive].into_iter().chain(above);
        Some((&pass.state, drives.collect()))
    }
}
