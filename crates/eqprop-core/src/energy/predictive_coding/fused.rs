//! The relaxation of a chain of predictions as one computation.

use burn::tensor::Tensor;

use super::clamped::{ClampedPredictiveCoding, Prediction};
use super::{Predictions, PredictiveCoding};
use crate::connection::Winners;
use crate::cpu::{self, Chain, OutputRule, RelaxedChain};
use crate::relaxation::{Relaxed, Scheme, Stopping};
use crate::state::State;

impl Predictions<'_> {
    /// The whole relaxation, or `None` if it must go step by step: where it does not start at the forward
    /// pass, holds the output, or is not by asynchronous steps without a tolerance.
    pub(crate) fn relax(
        &self,
        output: OutputRule<'_>,
        scheme: Scheme,
        stopping: Stopping,
        start: &State,
    ) -> Option<Relaxed> {
        let Self { network, clamped } = *self;
        if scheme != Scheme::Asynchronous || stopping.tolerance.is_some() {
            return None;
        }
        let chain = chain(network, clamped, start)?;
        let nudge = match output {
            // An equilibrium: each step leaves it as it is.
            OutputRule::Free => {
                let like = (&start.device(), start.output().dtype());
                return Some(Relaxed {
                    state: start.clone(),
                    residual: Tensor::zeros([start.batch_size()], like),
                    n_steps: stopping.max_steps,
                    tolerance: None,
                });
            }
            OutputRule::Nudged(nudge) => nudge,
            OutputRule::Clamped(_) => return None,
        };
        let RelaxedChain { relaxed, drives } = cpu::relax_chain(&chain, nudge, stopping.max_steps)?;
        let predictions = drives.into_iter().zip(&network.activations[1..]);
        let predictions = predictions
            .map(|(drive, &activation)| Prediction::new(drive, activation, Winners::all()));
        clamped.keep(&relaxed.state, predictions.collect());
        Some(relaxed)
    }
}

fn chain<'a>(
    network: &'a PredictiveCoding,
    clamped: &'a ClampedPredictiveCoding,
    start: &State,
) -> Option<Chain<'a>> {
    let (pass, drives, links) = clamped.chain()?;
    let mut layers = 0..network.layers.len();
    layers
        .all(|layer| start.version(layer) == pass.version(layer))
        .then_some(Chain {
            pass,
            drives,
            links,
            activations: &network.activations,
            layer_update: network.layer_update,
            groups: &network.groups,
        })
}
