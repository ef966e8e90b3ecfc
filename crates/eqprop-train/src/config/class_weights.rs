//! Class weights of the cost.

use std::fmt;

use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// Weights of the examples of each class in the cost.
///
/// In configurations it is `"balanced"` or a list of numbers, one for each class.
#[derive(Debug, Clone, PartialEq)]
pub enum ClassWeights {
    /// Equal total weight for each class over all training examples: 1 for the rarest class, which has
    /// `n_min` examples, and `n_min / n_c` for a class with `n_c` examples. No weight exceeds 1, because an
    /// example is nudged by β times its weight; where most weights are far below 1, learning rates may be
    /// higher.
    Balanced,
    /// A weight for each class, at least 0.
    Of(Vec<f64>),
}

impl ClassWeights {
    /// Returns the weights of `n_classes` classes for training examples with these labels. When balanced, a
    /// class without examples has weight 0.
    pub fn weights(&self, labels: &[u8], n_classes: usize) -> Vec<f64> {
        match self {
            Self::Of(weights) => weights.clone(),
            Self::Balanced => {
                let mut counts = vec![0.0; n_classes];
                for &label in labels {
                    counts[usize::from(label)] += 1.0;
                }
                let there = counts.iter().copied().filter(|&count| count > 0.0);
                let rarest = there.fold(f64::INFINITY, f64::min);
                let weight = |count: f64| match count {
                    0.0 => 0.0,
                    count => rarest / count,
                };
                counts.into_iter().map(weight).collect()
            }
        }
    }
}

impl Serialize for ClassWeights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Balanced => serializer.serialize_str("balanced"),
            Self::Of(weights) => weights.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ClassWeights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WeightsVisitor)
    }
}

struct WeightsVisitor;

impl<'de> Visitor<'de> for WeightsVisitor {
    type Value = ClassWeights;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"balanced\", or a list of a number for each class")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ClassWeights, E> {
        match text {
            "balanced" => Ok(ClassWeights::Balanced),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ClassWeights, A::Error> {
        let mut weights = Vec::new();
        while let Some(weight) = list.next_element::<f64>()? {
            weights.push(weight);
        }
        Ok(ClassWeights::Of(weights))
    }
}
