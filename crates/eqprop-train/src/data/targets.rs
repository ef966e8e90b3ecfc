//! What is to be learned of examples that are not of one class each.

use serde::{Deserialize, Serialize};

/// What is to be learned of examples that are not of one class each: quantities of each, or several labels at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Targets {
    /// What the outputs should be, `[n, outputs]`: quantities less their means, by their deviations; 1 for a label that an
    /// example has, and 0 for one that it has not.
    pub values: Vec<f32>,
    /// What they are.
    pub kind: TargetKind,
}

/// What is in the place of classes: an output of the network for each.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetKind {
    /// Quantities.
    Quantities(Quantities),
    /// Labels by name, of which an example has none, one or several.
    Labels(Vec<String>),
}

/// Quantities that are learned, and what a network's numbers mean in their own units:
///
/// ```text
/// value = mean + deviation · target
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantities {
    /// What they are called.
    pub names: Vec<String>,
    /// Mean of each over the training part.
    pub mean: Vec<f64>,
    /// Standard deviation of each over the training part, above 0.
    pub deviation: Vec<f64>,
}

impl Targets {
    /// The targets of example `i`.
    ///
    /// # Panics
    /// If there are not so many examples.
    pub fn row(&self, i: usize) -> &[f32] {
        let n = self.kind.len();
        &self.values[i * n..][..n]
    }

    /// Number of examples.
    pub(super) fn n_examples(&self) -> usize {
        self.values.len() / self.kind.len()
    }

    /// The same kind with other values.
    pub(super) fn with_values(&self, values: Vec<f32>) -> Self {
        let kind = self.kind.clone();
        Self { values, kind }
    }
}

impl TargetKind {
    /// How many there are of each example.
    #[allow(clippy::len_without_is_empty, reason = "there is at least one")]
    pub fn len(&self) -> usize {
        match self {
            Self::Quantities(quantities) => quantities.len(),
            Self::Labels(names) => names.len(),
        }
    }

    /// Values `[n, outputs]` in their own units as targets; those of labels are 0 and 1.
    pub fn targets(&self, values: &[f64]) -> Targets {
        match self {
            Self::Quantities(quantities) => quantities.targets(values),
            Self::Labels(_) => Targets {
                values: values.iter().map(|&value| value as f32).collect(),
                kind: self.clone(),
            },
        }
    }

    /// The quantities, if that is what they are.
    pub fn quantities(&self) -> Option<&Quantities> {
        match self {
            Self::Quantities(quantities) => Some(quantities),
            Self::Labels(_) => None,
        }
    }

    /// The names of the labels, if that is what they are.
    pub fn labels(&self) -> Option<&[String]> {
        match self {
            Self::Quantities(_) => None,
            Self::Labels(names) => Some(names),
        }
    }

    /// Whether an output says that an example has its label: above ½, half way between what it is trained toward.
    pub fn has_label(output: f64) -> bool {
        output > 0.5
    }
}

impl Quantities {
    /// Quantities that are learned as they are.
    pub fn unscaled(names: Vec<String>) -> Self {
        let n = names.len();
        Self {
            names,
            mean: vec![0.0; n],
            deviation: vec![1.0; n],
        }
    }

    /// Of these values, `[n, quantities]`, summed in the order of the examples.
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

    /// How many there are.
    #[allow(clippy::len_without_is_empty, reason = "there is at least one")]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Values `[n, quantities]` as targets.
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

    /// What a number that stands for a quantity means in its own units.
    pub fn value(&self, quantity: usize, target: f64) -> f64 {
        self.mean[quantity] + self.deviation[quantity] * target
    }

    /// Whether these can be of a training part: a configuration may hold anything.
    pub(super) fn is_sound(&self) -> bool {
        let n = self.names.len();
        n > 0
            && [&self.mean, &self.deviation]
                .iter()
                .all(|numbers| numbers.len() == n && numbers.iter().all(|x| x.is_finite()))
            && self.deviation.iter().all(|&deviation| deviation > 0.0)
    }
}
