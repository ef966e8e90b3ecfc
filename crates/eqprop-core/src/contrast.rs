//! The states that a gradient estimate contrasts.

use burn::tensor::Tensor;

/// A layer in the two states that a gradient estimate contrasts.
#[derive(Debug, Clone, Copy)]
pub enum StatePair<'a> {
    /// The clamped input, the same in both.
    Clamped(&'a Tensor<2>),
    /// A free layer in the first and the second state.
    Free(&'a Tensor<2>, &'a Tensor<2>),
}

/// The part of a contrast that the synapses of one direction see. With differences `Δ` and sums `Σ` of
/// the two states the shares of a dense connection are
///
/// ```text
/// Whole       −½[Δ_fromᵀ Σ_to + Σ_fromᵀ Δ_to]    the difference of ∂E/∂W
/// Forward     −½ Σ_fromᵀ Δ_to                    by how much the driven layer moved
/// Feedback    −½ Δ_fromᵀ Σ_to                    likewise, where s_to drives s_from
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    Whole,
    Forward,
    Feedback,
}
