//! Gradient clipping by the norm over all parameters.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::estimator::gradient_vectors;

/// Scales the gradients of a module so that their global norm, over all parameters as one vector, is
/// at most `max_norm`:
///
/// ```text
/// ĝ ← ĝ · min(1, max_norm / ‖ĝ‖)
/// ```
///
/// The direction is preserved, unlike by the clipping of Burn's optimizers, which goes parameter by
/// parameter. Nothing is read back from the device.
///
/// # Panics
/// If `max_norm` is not greater than 0.
pub fn clip_global_norm<M: Module>(
    gradients: GradientsParams,
    module: &M,
    max_norm: f64,
) -> GradientsParams {
    assert!(
        max_norm > 0.0,
        "max_norm must be greater than 0, but is {max_norm}"
    );
    let vectors = gradient_vectors(module, &gradients).into_iter();
    let squares = vectors.filter_map(|(_, gradient)| Some(gradient?.square().sum()));
    let Some(sum) = squares.reduce(|sum, square| sum + square) else {
        return gradients;
    };
    // For zero gradients the quotient is infinite, and they are left unchanged.
    let scale = (sum.sqrt().recip() * max_norm).clamp_max(1.0);
    let mut scaled = Scaled { gradients, scale };
    module.visit(&mut scaled);
    scaled.gradients
}

struct Scaled {
    gradients: GradientsParams,
    scale: Tensor<1>,
}

impl ModuleVisitor for Scaled {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(parameter.id) {
            let scaled = gradient * self.scale.clone().reshape([1; D]);
            self.gradients.register(parameter.id, scaled);
        }
    }
}
