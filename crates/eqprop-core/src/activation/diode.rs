//! A diode between each unit and the ground.

use burn::tensor::Tensor;

use super::rule::Rule;
use crate::fused::Response;

/// `max(u, 0)` in the first half of the units and `min(u, 0)` in the second, with `G(s) = ½s²`.
pub struct Diode;

impl Rule for Diode {
    fn apply(&self, drive: Tensor<2>) -> Tensor<2> {
        let [_, n_units] = drive.dims();
        let n_excitatory = n_units / 2;
        if n_excitatory == 0 {
            return drive.clamp_max(0.0);
        }
        let excitatory = drive.clone().narrow(1, 0, n_excitatory).clamp_min(0.0);
        let inhibitory = drive.narrow(1, n_excitatory, n_units - n_excitatory);
        Tensor::cat(vec![excitatory, inhibitory.clamp_max(0.0)], 1)
    }

    fn inverse(&self, state: Tensor<2>) -> Tensor<2> {
        state
    }

    fn pull_back(&self, response: Tensor<2>, gradient: Tensor<2>) -> Tensor<2> {
        gradient.mask_fill(response.equal_elem(0.0), 0.0)
    }

    fn potential(&self, state: Tensor<2>) -> Tensor<2> {
        state.clone() * state * 0.5
    }

    fn range(&self) -> [f64; 2] {
        [f64::NEG_INFINITY, f64::INFINITY]
    }

    fn is_quadratic(&self) -> bool {
        true
    }

    fn has_kinks(&self) -> bool {
        true
    }

    /// Adds the clipped value and the clipped mirror image: `|value|` in the first half, `−|value|` in
    /// the second.
    fn reflect(&self, value: Tensor<2>) -> Tensor<2> {
        self.apply(value.clone()) + self.apply(value.neg())
    }

    fn response(&self) -> Option<Response> {
        Some(Response::Halves)
    }
}
