//! The shortcuts of a predictive coding network.

use burn::tensor::Tensor;

use super::clamped::ClampedPredictions;
use super::rule::Rule;
use crate::energy::shortcuts::{Acting, Shortcuts};
use crate::fused::{Drives, Predictions};
use crate::state::State;

/// The chain around its free equilibrium, the forward pass.
pub(super) struct Pass<'a> {
    pub clamped: &'a ClampedPredictions,
    pub rules: &'a [Rule],
    pub from_pre_activation: bool,
}

impl Shortcuts for Pass<'_> {
    /// If the forward pass was made, and all layers are clipped and sent unchanged.
    fn drives(&self) -> Option<Drives<'_>> {
        let is_known = |rule: &Rule| rule.is_plain() && rule.response.is_quadratic();
        let is_known = self.rules.iter().all(is_known);
        let (pass, drives) = self.clamped.made_pass().filter(|_| is_known)?;
        let above = self.clamped.predictors.iter();
        Some(Drives::Predictions(Predictions {
            pass,
            drives,
            edges: above
                .clone()
                .map(|p| p.edge.as_data())
                .collect::<Option<_>>()?,
            biases: above.map(|p| &p.bias).collect(),
            from_pre_activation: self.from_pre_activation,
        }))
    }

    fn equilibrium(&self) -> Option<State> {
        Some(self.clamped.forward_pass())
    }

    fn stays(&self, layer: usize, state: &State) -> bool {
        let last = self.clamped.predictors.len();
        (layer..=last.min(layer + 1)).all(|layer| self.clamped.is_predicted(layer, state))
    }

    fn keep(&self, state: &State, drives: Vec<Tensor<2>>) {
        self.clamped.keep(state, drives);
    }

    /// Down the chain by the transposed slopes of the predictions, and up by the predictions.
    fn descend_errors(&self, state: &State, acting: Acting<'_>, step_size: f64) -> Option<State> {
        let clamped = self.clamped;
        let last = clamped.predictors.len();
        let error = |layer| state.layer(layer).clone() - clamped.prediction(layer, state).value;
        let mut force = match (acting.held, &acting.forces[last]) {
            // The output does not move with its prediction, so that its error does.
            (Some(output), _) => output.clone() - clamped.prediction(last, state).value,
            (None, Some(force)) => force.clone(),
            (None, None) => state.output().zeros_like(),
        };
        let mut errors = Vec::new();
        for layer in (0..=last).rev() {
            errors.push(error(layer) * (1.0 - step_size) + force.clone() * step_size);
            if let Some(below) = layer.checked_sub(1) {
                let prediction = clamped.prediction(layer, state);
                let response = self.rules[layer].response;
                force = response.pull_back(prediction.value.clone(), force);
                force = clamped.pull_back(below, &prediction, force);
                if let Some(own) = &acting.forces[below] {
                    force = force + own.clone();
                }
            }
        }
        let mut moved = state.clone();
        for (layer, error) in errors.into_iter().rev().enumerate() {
            let value = match acting.held {
                Some(output) if layer == last => output.clone(),
                _ => clamped.prediction(layer, &moved).value + error,
            };
            moved.set(layer, value);
        }
        Some(moved)
    }
}
