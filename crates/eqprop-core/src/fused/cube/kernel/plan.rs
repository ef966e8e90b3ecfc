//! Compile-time parameters of the kernels.

/// A layer of a relaxation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LayerPlan {
    /// Number of units.
    pub n: usize,
    /// Their response.
    pub rule: Rule,
    /// The terms of their drive.
    pub terms: Vec<TermPlan>,
    /// Offsets from one example to the next in the constant part of the drive and in the initial state.
    pub strides: [usize; 2],
    /// Whether a nudge acts on it.
    pub nudged: bool,
}

/// The input of a layer from a presynaptic layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TermPlan {
    /// The presynaptic layer.
    pub source: usize,
    /// Number of its units.
    pub n: usize,
    /// Index of the weights; `None` where units are connected one to one.
    pub weights: Option<usize>,
    /// Offsets in the weights from one presynaptic unit to the next, and from one postsynaptic unit to the
    /// next.
    pub strides: [usize; 2],
}

/// The response `σ`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// `u`
    Keep,
    /// `clip(u, low, high)`, with the bounds as bits.
    Clip([u32; 2]),
    /// `max(u, 0)` in the first half of the units, `min(u, 0)` in the second.
    Halves,
    /// `1 / (1 + e^{−(4u − 2)})`
    Logistic,
    /// `tanh u`
    HyperbolicTangent,
}

/// The update rule of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// Asynchronous: the groups in turn, each to its response.
    InTurn,
    /// Synchronous: all layers at once, each to its response.
    AtOnce,
    /// Gradient flow: all layers at once, by a step toward their drive.
    Flow,
}
