//! The total energy `F = E + βC`.

use burn::tensor::Tensor;

use super::Energy;
use crate::{cost::Cost, state::State};

/// The total energy `F = E + βC` of a batch, with its input clamped and its nudge applied.
///
/// This is what a relaxation minimizes over the state: with β = 0 in the free phase, with
/// β ≠ 0 in a nudged phase. Both phases are the same computation.
#[derive(Debug)]
pub struct TotalEnergy<'a, E: Energy, C: Cost> {
    energy: &'a E,
    clamped: &'a E::Clamped,
    nudge: Option<(&'a C, C::Nudge)>,
}

impl<'a, E: Energy, C: Cost> TotalEnergy<'a, E, C> {
    /// `F = E`.
    pub fn free(energy: &'a E, clamped: &'a E::Clamped) -> Self {
        Self {
            energy,
            clamped,
            nudge: None,
        }
    }

    /// `F = E + βC`, with one β per example.
    ///
    /// # Shapes
    /// - `target`: as the cost wants it, `[batch, …]`
    /// - `beta`: `[batch, 1]`, or `[1, 1]` for all examples
    pub fn nudged(
        energy: &'a E,
        clamped: &'a E::Clamped,
        cost: &'a C,
        target: &Tensor<2>,
        beta: Tensor<2>,
    ) -> Self {
        let output = energy.layers().last().expect("a network has a layer");
        let nudge = cost.nudge(target, beta, output.activation);
        Self {
            energy,
            clamped,
            nudge: Some((cost, nudge)),
        }
    }

    /// The energy that this total energy is built on.
    pub fn energy(&self) -> &E {
        self.energy
    }

    /// `F` of each example.
    ///
    /// # Shapes
    /// - output: `[batch]`
    pub fn value(&self, state: &State) -> Tensor<1> {
        let energy = self.energy.energy(self.clamped, state);
        match &self.nudge {
            None => energy,
            Some((cost, nudge)) => energy + cost.nudged_value(nudge, state.output()),
        }
    }

    /// The value of layer `layer` that minimizes `F` with all other layers held: `σ(drive)`
    /// for a free layer, see [`Cost::minimize`] for the nudged output.
    pub fn minimize(&self, layer: usize, state: &State) -> Tensor<2> {
        let activation = self.energy.layers()[layer].activation;
        let drive = self.energy.drive(layer, self.clamped, state);
        match self.nudge_of(layer) {
            None => activation.apply(drive),
            Some((cost, nudge)) => cost.minimize(nudge, activation, drive, state.layer(layer)),
        }
    }

    /// Layer `layer` after one step of gradient flow of size `step_size`:
    ///
    /// ```text
    /// s_k ← σ(u − ε ∂F/∂s_k),   u = σ⁻¹(s_k),   ∂F/∂s_k = u − drive + β ∂C/∂s_k
    /// ```
    ///
    /// Where `G = ½s²` this is `s ← clip(s − ε ∂F/∂s)`, eq. 43 of Scellier & Bengio (2017);
    /// elsewhere the flow runs in `u`, as in Hopfield's network of graded neurons (mirror
    /// descent), so that it cannot leave the range of the activation.
    pub fn descend(&self, layer: usize, state: &State, step_size: f64) -> Tensor<2> {
        let activation = self.energy.layers()[layer].activation;
        let mut drive = self.energy.drive(layer, self.clamped, state);
        let value = state.layer(layer);
        if let Some((cost, nudge)) = self.nudge_of(layer) {
            drive = drive + cost.force(nudge, value);
        }
        let inverse = activation.inverse(value.clone());
        activation.apply(inverse * (1.0 - step_size) + drive * step_size)
    }

    /// The nudge, if `layer` is the output.
    fn nudge_of(&self, layer: usize) -> Option<(&'a C, &C::Nudge)> {
        let is_output = layer + 1 == self.energy.layers().len();
        self.nudge
            .as_ref()
            .filter(|_| is_output)
            .map(|(cost, nudge)| (*cost, nudge))
    }
}
