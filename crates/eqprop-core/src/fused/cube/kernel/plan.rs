//! What a kernel is compiled for.

/// A layer of a relaxation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LayerPlan {
    /// Its units.
    pub n: usize,
    /// How they respond.
    pub rule: Rule,
    /// What drives them.
    pub terms: Vec<TermPlan>,
    /// How far one example is from the next in what is constant, and in the state that is started from.
    pub strides: [usize; 2],
    /// Whether a nudge acts on it.
    pub nudged: bool,
}

/// What one layer sends to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TermPlan {
    /// The layer that sends.
    pub source: usize,
    /// Its units.
    pub n: usize,
    /// Which of the weights; none where units are joined one to one.
    pub weights: Option<usize>,
    /// How far the weights of one sending unit are from those of the next, and those of one receiving unit.
    pub strides: [usize; 2],
}

/// `σ`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// `u`
    Keep,
    /// `clip(u, low, high)`, the bits of both.
    Clip([u32; 2]),
    /// `max(u, 0)` in the first half of the units, `min(u, 0)` in the second.
    Halves,
    /// `1 / (1 + e^{−(4u − 2)})`
    Logistic,
    /// `tanh u`
    HyperbolicTangent,
}

/// The rule of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// Each group in turn goes to its response.
    InTurn,
    /// All layers at once.
    AtOnce,
    /// All at once, a step toward their drive.
    Flow,
}
