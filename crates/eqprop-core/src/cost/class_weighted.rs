//! A cost with a weight for each class.

use burn::module::Module;
use burn::tensor::Tensor;

use super::intermediate::weight_of_each;
use super::{Cost, LocalCost, QuadraticNudge};
use crate::{activation::Activation, error::ConfigError, gradients::Gradients};

/// Another cost, multiplied by the weight of each example's class:
///
/// ```text
/// C_w(s_out, y) = (Σ_c w_c y_c) · C(s_out, y)
/// ```
///
/// with one-hot targets `y`. An example is nudged by `β` times its weight, so that the gradient is that of
/// the mean of `C_w`. A condition on `β` for the other cost applies here to `β` times the largest weight.
#[derive(Module, Debug)]
pub struct ClassWeighted<C: Cost> {
    /// The cost that is weighted.
    pub cost: C,
    #[module(skip)]
    weights: Vec<f64>,
}

impl<C: Cost> ClassWeighted<C> {
    /// Creates a weighted `cost`, with a weight for each class.
    ///
    /// # Panics
    /// If a weight is negative or not finite.
    pub fn new(cost: C, weights: Vec<f64>) -> Self {
        let is_weight = |weight: &f64| weight.is_finite() && *weight >= 0.0;
        assert!(
            weights.iter().all(is_weight),
            "weights of classes must be finite and at least 0, but are {weights:?}"
        );
        Self { cost, weights }
    }

    /// Returns the weight of each class.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The weight of each example, `[batch, 1]`.
    fn of_each(&self, target: &Tensor<2>) -> Tensor<2> {
        weight_of_each(&self.weights, target)
    }
}

impl<C: Cost> Cost for ClassWeighted<C> {
    type Nudge = C::Nudge;

    fn value(&self, output: &Tensor<2>, target: &Tensor<2>) -> Tensor<1> {
        let weights = self.of_each(target).squeeze_dim::<1>(1);
        self.cost.value(output, target) * weights
    }

    fn scores(&self, output: &Tensor<2>, drive: &Tensor<2>) -> Tensor<2> {
        self.cost.scores(output, drive)
    }

    fn nudge(&self, target: &Tensor<2>, beta: Tensor<2>, activation: Activation) -> C::Nudge {
        let beta = beta * self.of_each(target);
        self.cost.nudge(target, beta, activation)
    }

    fn nudged_value(&self, nudge: &C::Nudge, output: &Tensor<2>) -> Tensor<1> {
        self.cost.nudged_value(nudge, output)
    }

    fn force(&self, nudge: &C::Nudge, output: &Tensor<2>) -> Tensor<2> {
        self.cost.force(nudge, output)
    }

    fn minimize(
        &self,
        nudge: &C::Nudge,
        activation: Activation,
        drive: Tensor<2>,
        output: &Tensor<2>,
    ) -> Tensor<2> {
        self.cost.minimize(nudge, activation, drive, output)
    }

    fn check_beta(&self, beta: f64, activation: Activation) -> Result<(), ConfigError> {
        let largest = self.weights.iter().copied().fold(0.0, f64::max);
        self.cost.check_beta(beta * largest, activation)
    }

    fn is_quadratic(&self) -> bool {
        self.cost.is_quadratic()
    }

    fn quadratic_nudge<'a>(&self, nudge: &'a C::Nudge) -> Option<QuadraticNudge<'a>> {
        self.cost.quadratic_nudge(nudge)
    }

    fn gradients(&self, output: &Tensor<2>, target: &Tensor<2>, gradients: &mut Gradients) {
        let weights = self.of_each(target);
        self.cost
            .weighted_gradients(output, target, &weights, gradients);
    }

    fn weighted_gradients(
        &self,
        output: &Tensor<2>,
        target: &Tensor<2>,
        weights: &Tensor<2>,
        gradients: &mut Gradients,
    ) {
        let weights = self.of_each(target) * weights.clone();
        self.cost
            .weighted_gradients(output, target, &weights, gradients);
    }

    fn locals(&self) -> Vec<LocalCost> {
        let locals = self.cost.locals().into_iter();
        let weighted = locals.map(|local| local.with_class_weights(&self.weights));
        weighted.collect()
    }
}
