//! Cross-entropy through a softmax readout.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Device, Tensor};

use super::{Cost, mirror_step};
use crate::connection::{InitializerConfig, draw};
use crate::fused::operations;
use crate::{activation::Activation, error::ConfigError, gradients::Gradients};

/// Configuration of a [`CrossEntropy`] readout.
#[derive(Config, Debug)]
pub struct CrossEntropyConfig {
    /// Number of units of the last layer of the state.
    pub n_units: usize,
    /// Number of classes.
    pub n_classes: usize,
    /// Distribution of the initial readout weights.
    #[config(default = "InitializerConfig::Glorot")]
    pub initializer: InitializerConfig,
}

/// Cross-entropy `C = −Σ_c y_c ln softmax(s_out W_r + b_r)_c` through a readout that is not
/// part of the state.
///
/// The nudge acts on the last layer as `−β ∂C/∂s_out = β (y − ŷ) W_rᵀ`; `W_r` and `b_r` get their
/// gradient `∂C/∂W_r = s_outᵀ (ŷ − y)` directly, at the free equilibrium.
///
/// The nudged layer has no closed-form minimizer. Its step is one of mirror descent, which never raises
/// `F`. For large readout weights it needs more steps than the fixed-point step of the published code,
/// which may oscillate there.
///
/// # Reference
/// Laborieux et al. (2021), <https://arxiv.org/abs/2006.03824>
#[derive(Module, Debug)]
pub struct CrossEntropy {
    /// Readout weights `W_r`, `[n_units, n_classes]`.
    pub weight: Param<Tensor<2>>,
    /// Readout bias `b_r`, `[n_classes]`.
    pub bias: Param<Tensor<1>>,
}

/// A nudge by the cross-entropy.
#[derive(Debug, Clone)]
pub struct CrossEntropyNudge {
    beta: Tensor<2>,
    target: Tensor<2>,
    /// A bound on the curvature of `βC`, for the mirror step.
    gamma: Tensor<2>,
}

impl CrossEntropyConfig {
    /// Creates a readout with random weights and zero biases.
    pub fn init(&self, device: &Device) -> CrossEntropy {
        let (n_in, n_out) = (self.n_units, self.n_classes);
        CrossEntropy {
            weight: draw(self.initializer, [n_in, n_out], (n_in, n_out), device),
            bias: Param::from_tensor(Tensor::zeros([n_out], device)),
        }
    }
}

impl CrossEntropy {
    /// Computes the logits `s_out W_r + b_r`, `[batch, n_classes]`.
    pub fn logits(&self, output: &Tensor<2>) -> Tensor<2> {
        operations::product_with_prepared(output.clone(), &self.weight.val())
            + self.bias.val().unsqueeze()
    }

    /// `y − softmax(s_out W_r + b_r) = −∂C/∂logits`.
    fn error(&self, output: &Tensor<2>, target: &Tensor<2>) -> Tensor<2> {
        target.clone() - softmax(self.logits(output), 1)
    }

    /// Registers the gradients of the readout, from `error = −∂C/∂logits`.
    fn register(&self, output: &Tensor<2>, error: Tensor<2>, gradients: &mut Gradients) {
        let error = error / -(output.dims()[0] as f64);
        let weight = operations::product_over_rows(output, &error);
        gradients.register(self.weight.id, weight);
        gradients.register(self.bias.id, error.sum_dim(0).squeeze_dim::<1>(0));
    }
}

impl Cost for CrossEntropy {
    type Nudge = CrossEntropyNudge;

    fn value(&self, output: &Tensor<2>, target: &Tensor<2>) -> Tensor<1> {
        let log_probability = log_softmax(self.logits(output), 1);
        (log_probability * target.clone()).sum_dim(1).squeeze_dim(1) * -1.0
    }

    /// The logits of the readout.
    fn scores(&self, output: &Tensor<2>, _drive: &Tensor<2>) -> Tensor<2> {
        self.logits(output)
    }

    fn nudge(
        &self,
        target: &Tensor<2>,
        beta: Tensor<2>,
        _activation: Activation,
    ) -> CrossEntropyNudge {
        CrossEntropyNudge {
            gamma: curvature(&self.weight.val()) * beta.clone().clamp_min(0.0),
            beta,
            target: target.clone(),
        }
    }

    fn nudged_value(&self, nudge: &CrossEntropyNudge, output: &Tensor<2>) -> Tensor<1> {
        let value = self.value(output, &nudge.target).unsqueeze_dim::<2>(1);
        (value * nudge.beta.clone()).squeeze_dim(1)
    }

    fn force(&self, nudge: &CrossEntropyNudge, output: &Tensor<2>) -> Tensor<2> {
        let error = self.error(output, &nudge.target);
        operations::product_with_prepared(error, &self.weight.val().transpose())
            * nudge.beta.clone()
    }

    fn minimize(
        &self,
        nudge: &CrossEntropyNudge,
        activation: Activation,
        drive: Tensor<2>,
        output: &Tensor<2>,
    ) -> Tensor<2> {
        let force = self.force(nudge, output);
        mirror_step(activation, &nudge.gamma, drive, force, output)
    }

    fn check_beta(&self, _beta: f64, _activation: Activation) -> Result<(), ConfigError> {
        // −βC grows no faster than linearly in the state, every potential at least as fast
        // as ½s² where the state is unbounded: the total energy keeps a minimum for any β.
        Ok(())
    }

    fn gradients(&self, output: &Tensor<2>, target: &Tensor<2>, gradients: &mut Gradients) {
        self.register(output, self.error(output, target), gradients);
    }

    fn weighted_gradients(
        &self,
        output: &Tensor<2>,
        target: &Tensor<2>,
        weights: &Tensor<2>,
        gradients: &mut Gradients,
    ) {
        let error = self.error(output, target) * weights.clone();
        self.register(output, error, gradients);
    }
}

/// A bound on the curvature of the cross-entropy in `s_out`, `[1, 1]`: `½‖W‖²` with the weights
/// centered over the classes, because a softmax has a curvature of at most ½ and ignores a shift that
/// all classes share. The norm is bounded by the largest absolute row sum of `WᵀW`.
fn curvature(weight: &Tensor<2>) -> Tensor<2> {
    let centered = weight.clone() - weight.clone().mean_dim(1);
    let gram = centered.clone().transpose().matmul(centered);
    gram.abs().sum_dim(1).max_dim(0) * 0.5
}
