//! The questions of the page.

use serde::Deserialize;
use serde_json::Value;
use tokio::sync::oneshot;

/// The content of a question.
#[derive(Debug)]
pub enum Asked {
    /// Layers, classes and settings of the network.
    Network,
    /// Test examples, starting at an index.
    Examples { from: usize },
    /// A drawing, converted to an input.
    Drawing { png: Vec<u8> },
    /// The relaxation of an input.
    Relaxation(Relax),
    /// The measurements of the training so far, and the misclassified examples.
    Training,
}

/// An input to relax, and a class to nudge toward.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relax {
    /// The input, as given by [`Asked::Examples`] or [`Asked::Drawing`].
    pub pixels: Vec<f32>,
    /// The class; without one the phase is free.
    #[serde(default)]
    pub target: Option<usize>,
    /// The nudging factor.
    #[serde(default)]
    pub beta: f64,
}

/// A question and the channel for its answer.
#[derive(Debug)]
pub struct Question {
    pub asked: Asked,
    pub reply: oneshot::Sender<Result<Value, String>>,
}
