//! The nudge by a cost, and the layers that it acts on.

use std::borrow::Cow;

use burn::tensor::Tensor;

use crate::activation::Activation;
use crate::cost::{Cost, CrossEntropy, LocalCost};
use crate::energy::field::VectorField;
use crate::fused::QuadraticNudge;
use crate::state::State;

/// A nudge by `βC` of the output, and by the [local](Cost::locals) costs of layers before it.
#[derive(Debug)]
pub(super) struct Nudged<'a, C: Clone, N> {
    output: OfLayer<'a, C, N>,
    locals: Vec<OfLayer<'a, CrossEntropy, <CrossEntropy as Cost>::Nudge>>,
}

/// A nudge of one layer.
#[derive(Debug)]
struct OfLayer<'a, C: Clone, N> {
    layer: usize,
    activation: Activation,
    cost: Cow<'a, C>,
    nudge: N,
    /// The nudge by `β/a`, where the [curvature](VectorField::curvature) `a` of the layer is not 1:
    /// what minimizes `a(G − drive·s) + βC` minimizes `G − drive·s + (β/a)C` too, unit by unit.
    relative: Option<N>,
}

impl<'a, C: Cost> Nudged<'a, C, C::Nudge> {
    /// # Panics
    /// If a local cost is of a layer that has no place for it.
    pub fn new<E: VectorField>(
        energy: &E,
        cost: &'a C,
        target: &Tensor<2>,
        beta: Tensor<2>,
    ) -> Self {
        let last = energy.layers().len() - 1;
        let nudge = |beta, activation| cost.nudge(target, beta, activation);
        let output = OfLayer::new(energy, last, Cow::Borrowed(cost), nudge, &beta);
        let locals = cost.locals().into_iter().map(|local| {
            check(energy, &local);
            let nudge = |beta, activation| local.nudge(target, beta, activation);
            let readout = Cow::Owned(local.readout.clone());
            OfLayer::new(energy, local.layer(), readout, nudge, &beta)
        });
        Self {
            output,
            locals: locals.collect(),
        }
    }

    /// Whether it acts on layer `layer`.
    pub fn acts_on(&self, layer: usize) -> bool {
        layer == self.output.layer || self.local(layer).is_some()
    }

    fn local(
        &self,
        layer: usize,
    ) -> Option<&OfLayer<'a, CrossEntropy, <CrossEntropy as Cost>::Nudge>> {
        self.locals.iter().find(|local| local.layer == layer)
    }

    /// The force `−β/a ∂C/∂s_k` on layer `layer`, if there is one.
    pub fn force(&self, layer: usize, state: &State) -> Option<Tensor<2>> {
        if layer == self.output.layer {
            return Some(self.output.force(state));
        }
        self.local(layer).map(|local| local.force(state))
    }

    /// The step of [`Cost::minimize`] of layer `layer`, which the nudge must [act on](Self::acts_on).
    pub fn minimize(&self, layer: usize, drive: Tensor<2>, state: &State) -> Tensor<2> {
        match self.local(layer) {
            Some(local) => local.minimize(drive, state),
            None => self.output.minimize(drive, state),
        }
    }

    /// `βC`, local costs included, of each example.
    pub fn value(&self, state: &State) -> Tensor<1> {
        let value = self.output.value(state);
        let locals = self.locals.iter();
        locals.fold(value, |sum, local| sum + local.value(state))
    }

    /// The nudge in numbers, if all of it is the squared error of the output.
    pub fn quadratic(&self) -> Option<QuadraticNudge<'_>> {
        if !self.locals.is_empty() {
            return None;
        }
        self.output.cost.quadratic_nudge(self.output.relative())
    }
}

impl<'a, C: Cost> OfLayer<'a, C, C::Nudge> {
    fn new<E: VectorField>(
        energy: &E,
        layer: usize,
        cost: Cow<'a, C>,
        nudge: impl Fn(Tensor<2>, Activation) -> C::Nudge,
        beta: &Tensor<2>,
    ) -> Self {
        let activation = energy.layers()[layer].activation;
        let relative = energy.curvature(layer);
        Self {
            layer,
            activation,
            cost,
            relative: relative.map(|curvature| nudge(beta.clone() / curvature, activation)),
            nudge: nudge(beta.clone(), activation),
        }
    }

    /// The nudge of a layer whose drive is relative to its curvature.
    fn relative(&self) -> &C::Nudge {
        self.relative.as_ref().unwrap_or(&self.nudge)
    }

    fn force(&self, state: &State) -> Tensor<2> {
        self.cost.force(self.relative(), state.layer(self.layer))
    }

    fn minimize(&self, drive: Tensor<2>, state: &State) -> Tensor<2> {
        let value = state.layer(self.layer);
        self.cost
            .minimize(self.relative(), self.activation, drive, value)
    }

    fn value(&self, state: &State) -> Tensor<1> {
        self.cost.nudged_value(&self.nudge, state.layer(self.layer))
    }
}

/// Checks that a network has a layer for a local cost.
///
/// # Panics
/// If it has not.
fn check<E: VectorField>(energy: &E, local: &LocalCost) {
    let (layer, layers) = (local.layer(), energy.layers());
    assert!(
        layer + 1 < layers.len(),
        "there is no free layer {layer} before the output for a local cost: there are {}, counted from 0",
        layers.len() - 1
    );
    assert!(
        layers[layer].activation != Activation::Phase,
        "free layer {layer} has phases, and no local cost is for those"
    );
}
