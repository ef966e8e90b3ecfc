//! The feedforward twin of a field.

use burn::tensor::Tensor;

use super::bias::dot;
use crate::layer::LayerConfig;
use crate::state::State;

/// One pass through the feedforward network with the same layers, activations and parameters: every
/// connection is used in its forward direction only.
///
/// ```text
/// s_k = σ_k(drive_k),   drive_k = Σ_{j → k} f_θ(s_j) + b_k
/// ```
#[derive(Debug, Clone)]
pub struct Twin {
    /// The layers of the pass.
    pub state: State,
    /// The drive of the output, `[batch, n_units]`.
    pub output_drive: Tensor<2>,
    /// The energy of each example in this state, `[batch]`, if there is an energy. Outside autodiff.
    pub energy: Option<Tensor<1>>,
}

/// The reason why a field has no feedforward twin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoTwin {
    /// A connection does not lead to a higher layer.
    #[error(
        "a feedforward twin needs connections that lead from lower to higher layers, but the \
         connections are {connections:?}"
    )]
    LeadsBack {
        /// The ends of all connections, counted from the input as layer 0.
        connections: Vec<(usize, usize)>,
    },
    /// No field of this kind has one.
    #[error("{field} has no feedforward twin: {reason}")]
    Never {
        /// The kind of field.
        field: &'static str,
        /// The reason.
        reason: &'static str,
    },
}

/// `Σ_k G_k(s_k) − s_k · drive_k`: the energy if each layer responds to these drives and nothing leads
/// back, so that every connection counts in the drive of its postsynaptic layer.
pub(super) fn energy(layers: &[LayerConfig], state: &State, drives: &[Tensor<2>]) -> Tensor<1> {
    let terms = layers.iter().zip(state.layers()).zip(drives);
    terms
        .map(|((layer, value), drive)| {
            let value = value.clone().without_autodiff();
            let drive = drive.clone().without_autodiff();
            layer.activation.potential(value.clone()) - dot(value, drive)
        })
        .reduce(|sum, term| sum + term)
        .expect("a network has at least one layer")
}
