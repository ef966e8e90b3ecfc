//! What the page asks.

use serde::Deserialize;
use serde_json::Value;
use tokio::sync::oneshot;

/// What is asked of the network.
#[derive(Debug)]
pub enum Asked {
    /// Its layers, classes and settings.
    Network,
    /// Test examples, from one number on.
    Examples { from: usize },
    /// A drawing as the network sees it.
    Drawing { png: Vec<u8> },
    /// How an input relaxes.
    Relaxation(Relax),
    /// What its training measured so far, and what it gets wrong.
    Training,
}

/// An input to relax, and a class to nudge toward.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relax {
    /// The input, as [`Asked::Examples`] and [`Asked::Drawing`] gave it.
    pub pixels: Vec<f32>,
    /// The class, unless the phase is free.
    #[serde(default)]
    pub target: Option<usize>,
    /// The nudging factor.
    #[serde(default)]
    pub beta: f64,
}

/// A question, and where its answer goes.
#[derive(Debug)]
pub struct Question {
    pub asked: Asked,
    pub reply: oneshot::Sender<Result<Value, String>>,
}
