//! A cost that layers before the output are judged by too.

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};

use super::{Cost, CrossEntropy, QuadraticNudge};
use crate::{activation::Activation, error::ConfigError, gradients::Gradients};

/// Another cost, plus a [`LocalCost`] on some layers before the output, so that a nudge also acts directly on
/// layers where one from the output alone would hardly be felt:
///
/// ```text
/// F = E + β [ C(s_out, y) + Σ_k C_k(s_k, y) ]
/// ```
///
/// Estimators find the gradient of the whole sum, the [`Cost::summed_value`]. As a cost of the output it is
/// the other one: values, scores and errors are those of `C` alone.
///
/// Each nudge acts on its own layer by `−β ∂C_k/∂s_k`. Layers take the steps with it that the output takes with the
/// cross-entropy; a relaxation goes step by step, without fused code.
///
/// # Reference
/// <https://arxiv.org/abs/2508.15989>, whose local errors may also come from a teacher network.
#[derive(Module, Debug)]
pub struct Intermediate<C: Cost> {
    /// The cost of the output.
    pub cost: C,
    /// Those of layers before it.
    pub layers: Vec<LocalCost>,
}

/// The cost of a layer before the output: the cross-entropy through a readout of its own, times a weight.
///
/// ```text
/// C_k(s_k, y) = −c_k Σ_i y_i ln softmax(s_k A_k + b_k)_i
/// ```
///
/// The readout gets `∂C_k/∂A_k` and `∂C_k/∂b_k` at the free equilibrium.
#[derive(Module, Debug)]
pub struct LocalCost {
    /// `A_k` and `b_k`.
    pub readout: CrossEntropy,
    #[module(skip)]
    layer: usize,
    #[module(skip)]
    weight: f64,
    #[module(skip)]
    class_weights: Option<Vec<f64>>,
}

impl<C: Cost> Intermediate<C> {
    /// `cost`, with those of layers before the output.
    ///
    /// # Panics
    /// If a layer is there twice.
    pub fn new(cost: C, layers: Vec<LocalCost>) -> Self {
        for (index, local) in layers.iter().enumerate() {
            let before = &layers[..index];
            assert!(
                before.iter().all(|other| other.layer != local.layer),
                "free layer {} has two local costs: give it one",
                local.layer
            );
        }
        Self { cost, layers }
    }
}

impl LocalCost {
    /// The cost of free layer `layer`, counted from 0, with the weight `c_k`. With a weight of 0 it is as if it were not
    /// there.
    ///
    /// # Panics
    /// If the weight is negative or not finite.
    pub fn new(layer: usize, weight: f64, readout: CrossEntropy) -> Self {
        assert!(
            weight.is_finite() && weight >= 0.0,
            "the weight of a local cost must be finite and at least 0, but is {weight}"
        );
        Self {
            readout,
            layer,
            weight,
            class_weights: None,
        }
    }

    /// The layer, counted from 0.
    pub fn layer(&self) -> usize {
        self.layer
    }

    /// Classes that its readout tells apart.
    pub(super) fn n_classes(&self) -> usize {
        let [n_classes] = self.readout.bias.val().dims();
        n_classes
    }

    /// The same, times a weight for each class.
    pub(super) fn with_class_weights(mut self, weights: &[f64]) -> Self {
        let before = self.class_weights.take();
        self.class_weights = Some(match before {
            Some(before) => before.iter().zip(weights).map(|(a, b)| a * b).collect(),
            None => weights.to_vec(),
        });
        self
    }

    /// The weight of each example, `[batch, 1]`.
    fn of_each(&self, target: &Tensor<2>) -> Tensor<2> {
        match &self.class_weights {
            Some(weights) => weight_of_each(weights, target) * self.weight,
            None => {
                let options = (&target.device(), target.dtype());
                Tensor::full([target.dims()[0], 1], self.weight, options)
            }
        }
    }

    /// `C_k` of each example.
    pub(super) fn value(&self, layer: &Tensor<2>, target: &Tensor<2>) -> Tensor<1> {
        self.readout.value(layer, target) * self.of_each(target).squeeze_dim::<1>(1)
    }

    /// The nudge by `βC_k`; its value, force and step are those of the readout.
    pub(crate) fn nudge(
        &self,
        target: &Tensor<2>,
        beta: Tensor<2>,
        activation: Activation,
    ) -> <CrossEntropy as Cost>::Nudge {
        let beta = beta * self.of_each(target);
        self.readout.nudge(target, beta, activation)
    }

    /// Registers the gradients of the readout.
    pub(super) fn gradients(
        &self,
        layer: &Tensor<2>,
        target: &Tensor<2>,
        gradients: &mut Gradients,
    ) {
        let weights = self.of_each(target);
        self.readout
            .weighted_gradients(layer, target, &weights, gradients);
    }
}

/// The weight of the class of each example, `[batch, 1]`.
pub(super) fn weight_of_each(weights: &[f64], target: &Tensor<2>) -> Tensor<2> {
    let weights = TensorData::new(weights.to_vec(), [1, weights.len()]);
    let weights = Tensor::<2>::from_data(weights, (&target.device(), target.dtype()));
    (target.clone() * weights).sum_dim(1)
}

impl<C: Cost> Cost for Intermediate<C> {
    type Nudge = C::Nudge;

    fn value(&self, output: &Tensor<2>, target: &Tensor<2>) -> Tensor<1> {
        self.cost.value(output, target)
    }

    fn scores(&self, output: &Tensor<2>, drive: &Tensor<2>) -> Tensor<2> {
        self.cost.scores(output, drive)
    }

    fn nudge(&self, target: &Tensor<2>, beta: Tensor<2>, activation: Activation) -> C::Nudge {
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

    /// That of the output decides: a local cost grows no faster than linearly in its layer, and bounds no β.
    fn check_beta(&self, beta: f64, activation: Activation) -> Result<(), ConfigError> {
        self.cost.check_beta(beta, activation)
    }

    /// Not with local costs, which are cross-entropies.
    fn is_quadratic(&self) -> bool {
        self.locals().is_empty() && self.cost.is_quadratic()
    }

    fn quadratic_nudge<'a>(&self, nudge: &'a C::Nudge) -> Option<QuadraticNudge<'a>> {
        self.cost.quadratic_nudge(nudge)
    }

    fn gradients(&self, output: &Tensor<2>, target: &Tensor<2>, gradients: &mut Gradients) {
        self.cost.gradients(output, target, gradients);
    }

    fn weighted_gradients(
        &self,
        output: &Tensor<2>,
        target: &Tensor<2>,
        weights: &Tensor<2>,
        gradients: &mut Gradients,
    ) {
        self.cost
            .weighted_gradients(output, target, weights, gradients);
    }

    fn locals(&self) -> Vec<LocalCost> {
        let acting = self.layers.iter().filter(|local| local.weight > 0.0);
        acting.cloned().chain(self.cost.locals()).collect()
    }
}
