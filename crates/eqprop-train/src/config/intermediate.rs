//! Costs of hidden layers.

use eqprop_core::cost::{CostConfig, CrossEntropy, LocalCost};
use eqprop_core::error::ConfigError;
use serde::{Deserialize, Serialize};

use super::TrainingConfig;
use crate::error::TrainingError;

/// Hidden layers that are nudged along with the output, each by the cross-entropy of a readout of its own:
///
/// ```text
/// F = E + β [ C + Σ_k c C_k ]        C_k = −Σ_i y_i ln softmax(s_k A_k + b_k)_i
/// ```
///
/// Trained is the gradient of the whole sum. What is measured is `C` alone. A readout learns at the rate of the
/// layer above its own. See [`Intermediate`](eqprop_core::cost::Intermediate).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IntermediateConfig {
    /// The layers: hidden layers before the output, counted from 1.
    pub layers: Vec<usize>,
    /// Weight of each relative to the cost of the output: `c`, at least 0.
    pub weight: f64,
}

impl Default for IntermediateConfig {
    /// No layers, and a weight of 0.1.
    fn default() -> Self {
        Self {
            layers: Vec::new(),
            weight: 0.1,
        }
    }
}

impl IntermediateConfig {
    /// Whether any layer is nudged.
    pub fn acts(&self) -> bool {
        !self.layers.is_empty() && self.weight > 0.0
    }

    /// The costs of the layers in their order, with readouts that `readout` makes of the units of layer `k`,
    /// counted from 0; none if their weight is 0.
    pub(super) fn locals(&self, mut readout: impl FnMut(usize) -> CrossEntropy) -> Vec<LocalCost> {
        if !self.acts() {
            return Vec::new();
        }
        let mut layers = self.layers.clone();
        layers.sort_unstable();
        let layers = layers.iter().map(|layer| layer - 1);
        let locals = layers.map(|layer| LocalCost::new(layer, self.weight, readout(layer)));
        locals.collect()
    }
}

impl TrainingConfig {
    /// Checks that the layers are there and can be judged by the classes.
    pub(super) fn check_intermediate(&self) -> Result<(), TrainingError> {
        let IntermediateConfig { layers, weight } = &self.network.intermediate;
        let ok = weight.is_finite() && *weight >= 0.0;
        ConfigError::in_range("intermediate.weight", "a number of at least 0", *weight, ok)?;
        ConfigError::single_precision("intermediate.weight", *weight)?;
        if layers.is_empty() {
            return Ok(());
        }
        if self.network.cost == CostConfig::PhaseError {
            return Err(TrainingError::IntermediatePhases);
        }
        if let Some(kind) = self.data.dataset.target_kind() {
            let found = kind.in_words();
            return Err(TrainingError::IntermediateWithoutClasses { found });
        }
        // With a readout the last hidden layer is the output.
        let is_readout = self.network.cost == CostConfig::CrossEntropy;
        let last = self.network.hidden.len() - usize::from(is_readout);
        for (index, &layer) in layers.iter().enumerate() {
            if !(1..=last).contains(&layer) {
                return Err(TrainingError::IntermediateLayer {
                    layer,
                    last,
                    is_readout,
                });
            }
            if layers[..index].contains(&layer) {
                return Err(TrainingError::IntermediateTwice { layer });
            }
        }
        Ok(())
    }
}
