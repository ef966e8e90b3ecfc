//! Targets other than a single class per example.

use serde::{Deserialize, Serialize};

/// Targets other than a single class per example: quantities, or multiple labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Targets {
    /// Target outputs, `[n, outputs]`: standardized quantities; or for each label 1 if the example has it,
    /// and 0 if not.
    pub values: Vec<f32>,
    /// Kind of the targets.
    pub kind: TargetKind,
}

/// Kind of targets other than classes; each has an output of the network.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetKind {
    /// Quantities.
    Quantities(Quantities),
    /// Named labels, of which an example has none, one or several.
    Labels(Vec<String>),
}

impl TargetKind {
    /// The targets in words, for messages.
    pub(crate) fn in_words(&self) -> &'static str {
        match self {
            Self::Quantities(_) => "quantities to learn",
            Self::Labels(_) => "several labels at once",
        }
    }
}

/// Quantities to learn, with the scale that converts a network's output to their own units:
///
/// ```text
/// value = mean + deviation · target
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantities {
    /// Names of the quantities.
    pub names: Vec<String>,
    /// Mean of each quantity over the training part.
    pub mean: Vec<f64>,
    /// Standard deviation of each quantity over the training part, greater than 0.
    pub deviation: Vec<f64>,
}

impl Targets {
    /// Returns the targets of example `i`.
    ///
    /// # Panics
    /// If there is no example `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        let n = self.kind.len();
        &self.values[i * n..][..n]
    }

    /// Returns the number of examples.
    pub(super) fn n_examples(&self) -> usize {
        self.values.len() / self.kind.len()
    }

    /// Returns targets of the same kind with other values.
    pub(super) fn with_values(&self, values: Vec<f32>) -> Self {
        let kind = self.kind.clone();
        Self { values, kind }
    }
}

impl TargetKind {
    /// Returns the number of targets of each example.
    #[allow(clippy::len_without_is_empty, reason = "there is at least one")]
    pub fn len(&self) -> usize {
        match self {
            Self::Quantities(quantities) => quantities.len(),
            Self::Labels(names) => names.len(),
        }
    }

    /// Converts values `[n, outputs]` in their own units to targets; those of labels are 0 and 1.
    pub fn targets(&self, values: &[f64]) -> Targets {
        match self {
            Self::Quantities(quantities) => quantities.targets(values),
            Self::Labels(_) => Targets {
                values: values.iter().map(|&value| value as f32).collect(),
                kind: self.clone(),
            },
        }
    }

    /// Returns the quantities, if the targets are quantities.
    pub fn quantities(&self) -> Option<&Quantities> {
        match self {
            Self::Quantities(quantities) => Some(quantities),
            Self::Labels(_) => None,
        }
    }

    /// Returns the names of the labels, if the targets are labels.
    pub fn labels(&self) -> Option<&[String]> {
        match self {
            Self::Quantities(_) => None,
            Self::Labels(names) => Some(names),
        }
    }

    /// Returns whether an output predicts its label: above ½, halfway between its target values.
    pub fn has_label(output: f64) -> bool {
        output > 0.5
    }
}

impl Quantities {
    /// Creates quantities that are learned without scaling.
    pub fn unscaled(names: Vec<String>) -> Self {
        let n = names.len();
        Self {
            names,
            mean: vec![0.0; n],
            deviation: vec![1.0; n],
        }
    }

    /// Computes the scale from these values, `[n, quantities]`, summed in the order of the examples.
    ///
    /// # Panics
    /// If there is no quantity or no example.
    pub fn of(names: Vec<String>, values: &[f64]) -> Self {
        let n_quantities = names.len();
        let n = (values.len() / n_quantities) as f64;
        assert!(n > 0.0, "there is no example to take means of");
        let column = |quantity: usize| values.iter().skip(quantity).step_by(n_quantities);
        let mean_of = |quantity: usize| column(quantity).sum::<f64>() / n;
        let mean: Vec<f64> = (0..n_quantities).map(mean_of).collect();
        let deviation = |(quantity, mean): (usize, &f64)| {
            let squares = column(quantity).map(|value| (value - mean).powi(2));
            (squares.sum::<f64>() / n).sqrt()
        };
        Self {
            deviation: mean.iter().enumerate().map(deviation).collect(),
            mean,
            names,
        }
    }

    /// Returns the number of quantities.
    #[allow(clippy::len_without_is_empty, reason = "there is at least one")]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Converts values `[n, quantities]` to targets.
    pub fn targets(&self, values: &[f64]) -> Targets {
        let scale = |(place, value): (usize, &f64)| {
            let quantity = place % self.len();
            ((value - self.mean[quantity]) / self.deviation[quantity]) as f32
        };
        Targets {
            values: values.iter().enumerate().map(scale).collect(),
            kind: TargetKind::Quantities(self.clone()),
        }
    }

    /// Converts a target of a quantity to its own units.
    pub fn value(&self, quantity: usize, target: f64) -> f64 {
        self.mean[quantity] + self.deviation[quantity] * target
    }

    /// Returns whether these are valid: a configuration may hold anything.
    pub(super) fn is_sound(&self) -> bool {
        let n = self.names.len();
        n > 0
            && [&self.mean, &self.deviation]
                .iter()
                .all(|numbers| numbers.len() == n && numbers.iter().all(|x| x.is_finite()))
            && self.deviation.iter().all(|&deviation| deviation > 0.0)
    }
}
