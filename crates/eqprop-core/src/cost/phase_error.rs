//! Squared error of the cosines of phases.

use burn::module::Module;
use burn::tensor::Tensor;

use super::Cost;
use crate::activation::{Activation, halves, pairs};
use crate::error::ConfigError;

/// The squared error of an output layer of oscillators, `C = ½ Σ_i (cos φ_i − t_i)²` with `t = 2y − 1`: the
/// oscillator of the right class should be in phase with the reference, all others in antiphase.
///
/// It acts on a phase by the force `−β ∂C/∂φ = β (cos φ − t) sin φ`, which vanishes in phase and in
/// antiphase, right or wrong.
///
/// The output is a layer of [`Activation::Phase`]. Its nudged step has no closed form; the one taken never
/// raises `F`, and a phase stays only where the slope of `F` is 0. Of the two forms
/// `½β cos²φ = ½β(1 − sin²φ)` the concave one is taken and replaced by its tangent:
///
/// ```text
/// (cos φ, sin φ) ← u/|u|,   u = drive + (βt + max(−β, 0) cos φ, max(β, 0) sin φ)
/// ```
///
/// # Shapes
/// - target: `[batch, n_classes]`, values from 0 to 1; output: `[batch, 2 n_classes]`
///
/// # Reference
/// Gower (2025), <https://arxiv.org/abs/2505.02103>
#[derive(Module, Debug, Default)]
pub struct PhaseError;

/// A nudge by the [`PhaseError`].
#[derive(Debug, Clone)]
pub struct PhaseErrorNudge {
    beta: Tensor<2>,
    /// `t = 2y − 1`
    wanted: Tensor<2>,
}

/// The cosine `t` of a target.
fn wanted(target: &Tensor<2>) -> Tensor<2> {
    target.clone() * 2.0 - 1.0
}

/// `½ Σ (cos φ − t)²` of each example.
fn error(output: &Tensor<2>, wanted: &Tensor<2>) -> Tensor<1> {
    let [cosine, _] = halves(output.clone());
    let error = cosine - wanted.clone();
    error.square().sum_dim(1).squeeze_dim(1) * 0.5
}

impl Cost for PhaseError {
    type Nudge = PhaseErrorNudge;

    fn value(&self, output: &Tensor<2>, target: &Tensor<2>) -> Tensor<1> {
        error(output, &wanted(target))
    }

    /// `cos φ`
    fn scores(&self, output: &Tensor<2>, _drive: &Tensor<2>) -> Tensor<2> {
        let [cosine, _] = halves(output.clone());
        cosine
    }

    fn nudge(
        &self,
        target: &Tensor<2>,
        beta: Tensor<2>,
        _activation: Activation,
    ) -> PhaseErrorNudge {
        let wanted = wanted(target);
        PhaseErrorNudge { beta, wanted }
    }

    fn nudged_value(&self, nudge: &PhaseErrorNudge, output: &Tensor<2>) -> Tensor<1> {
        let value = error(output, &nudge.wanted).unsqueeze_dim::<2>(1);
        (value * nudge.beta.clone()).squeeze_dim(1)
    }

    /// `β(t − cos φ)` for the cosines, 0 for the sines.
    fn force(&self, nudge: &PhaseErrorNudge, output: &Tensor<2>) -> Tensor<2> {
        let [cosine, sine] = halves(output.clone());
        let force = (nudge.wanted.clone() - cosine) * nudge.beta.clone();
        pairs(force, sine.zeros_like())
    }

    fn minimize(
        &self,
        nudge: &PhaseErrorNudge,
        activation: Activation,
        drive: Tensor<2>,
        output: &Tensor<2>,
    ) -> Tensor<2> {
        let [cosine, sine] = halves(output.clone());
        let beta = &nudge.beta;
        let [toward, away] = [beta.clone(), beta.clone().neg()].map(|beta| beta.clamp_min(0.0));
        let pull = nudge.wanted.clone() * beta.clone();
        activation.apply(drive + pairs(pull + cosine * away, sine * toward))
    }

    /// Accepts any β: a phase is bounded.
    fn check_beta(&self, _beta: f64, _activation: Activation) -> Result<(), ConfigError> {
        Ok(())
    }
}
