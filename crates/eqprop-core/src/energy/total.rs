//! The total energy `F = E + βC`.

mod holomorphic;
mod nudged;

use burn::tensor::Tensor;

use self::holomorphic::Holomorphic;
use self::nudged::Nudged;
use super::field::{Energy, VectorField};
use super::shortcuts::Acting;
use crate::activation::{Activation, Complex, Levels};
use crate::cost::Cost;
use crate::fused::{self, Layer, Problem, Update};
use crate::relaxed::{Relaxed, Stopping};
use crate::state::State;

/// The total energy of a batch, with its input clamped and its output free, nudged or clamped.
///
/// A [`VectorField`] without an energy has no `F`, but has the same phases: its drives with the force
/// of the cost.
///
/// A relaxation minimizes it over the state: `F = E` in the free phase, `F = E + βC` in a nudged phase,
/// `E` with the output fixed in a clamped phase. All phases are the same computation.
#[derive(Debug)]
pub struct TotalEnergy<'a, E: VectorField, C: Cost> {
    energy: &'a E,
    clamped: &'a E::Clamped,
    phase: Phase<'a, C, C::Nudge>,
}

/// Whatever acts on the output, and perhaps on other layers, besides the energy.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "one lives at a time, for a whole relaxation"
)]
enum Phase<'a, C: Clone, N> {
    Free,
    Nudged(Nudged<'a, C, N>),
    Clamped(Tensor<2>),
    Holomorphic(Holomorphic<'a, C, N>),
}

impl<'a, E: VectorField, C: Cost> TotalEnergy<'a, E, C> {
    fn new(energy: &'a E, clamped: &'a E::Clamped, phase: Phase<'a, C, C::Nudge>) -> Self {
        Self {
            energy,
            clamped,
            phase,
        }
    }

    /// Creates the total energy of a free phase, `F = E`.
    pub fn free(energy: &'a E, clamped: &'a E::Clamped) -> Self {
        Self::new(energy, clamped, Phase::Free)
    }

    /// `F = E + βC`, with one β per example. `C` includes the [local](Cost::locals) costs of layers before the output, if
    /// there are any.
    ///
    /// # Shapes
    /// - `target`: as the cost expects it, `[batch, …]`
    /// - `beta`: `[batch, 1]`, or `[1, 1]` for all examples
    ///
    /// # Panics
    /// If a local cost names a layer that is not before the output, or one of phases.
    pub fn nudged(
        energy: &'a E,
        clamped: &'a E::Clamped,
        cost: &'a C,
        target: &Tensor<2>,
        beta: Tensor<2>,
    ) -> Self {
        let nudged = Nudged::new(energy, cost, target, beta);
        Self::new(energy, clamped, Phase::Nudged(nudged))
    }

    /// Creates the total energy of a clamped phase: `F = E` with the output layer fixed at `output`.
    /// Only the layers before it relax, and each step of the output sets it to `output`. The value need
    /// not lie within the range of the layer's activation.
    ///
    /// A relaxation should start from a state whose output already has this value, so that the first
    /// step of the layers before it sees it.
    ///
    /// # Shapes
    /// - `output`: `[batch, n_units]`
    pub fn output_clamped(energy: &'a E, clamped: &'a E::Clamped, output: Tensor<2>) -> Self {
        Self::new(energy, clamped, Phase::Clamped(output))
    }

    /// Creates `F = E + βC` continued to complex β and complex states, with one β per example.
    ///
    /// A complex state is a state of twice the batch: the real parts of all examples, followed by their
    /// imaginary parts, so that the built-in dynamics move it like any other. It relaxes to a
    /// stationary point of `F`, not a minimum. `σ` and the potentials are continued analytically;
    /// drives and force are affine, so that they act on both parts alike, except for their constants,
    /// which belong to the real part.
    ///
    /// The drive of every layer must be an affine function of the state: the energy must be quadratic
    /// apart from the potentials, without max pooling and attention.
    ///
    /// # Shapes
    /// - `clamped`: of the input repeated twice, as by [`VectorField::repeat`]
    /// - `target`: `[batch, n_units]`
    /// - `beta`: real and imaginary part, each `[batch, 1]`
    ///
    /// # Panics
    /// If the activation of a layer has no [holomorphic](crate::activation::Activation::is_holomorphic)
    /// continuation, the curvature of the energy is not 1, or the cost is not
    /// [quadratic](Cost::is_quadratic).
    pub fn holomorphic(
        energy: &'a E,
        clamped: &'a E::Clamped,
        cost: &'a C,
        target: &Tensor<2>,
        beta: [Tensor<2>; 2],
    ) -> Self {
        let nudge = Holomorphic::new(energy, clamped, cost, target, beta);
        Self::new(energy, clamped, Phase::Holomorphic(nudge))
    }

    /// Returns the energy that this total energy is built on.
    pub fn energy(&self) -> &E {
        self.energy
    }

    /// The value of layer `layer` that minimizes `F` with all other layers held: `σ(drive)`
    /// for a free layer, see [`Cost::minimize`] for one that is nudged.
    pub fn minimize(&self, layer: usize, state: &State) -> Tensor<2> {
        if let Some(output) = self.held(layer) {
            return self.hold(layer, output.clone());
        }
        let drive = self.energy.drive(layer, self.clamped, state);
        let minimizer = match &self.phase {
            Phase::Nudged(nudged) if nudged.acts_on(layer) => nudged.minimize(layer, drive, state),
            Phase::Holomorphic(nudge) => nudge.minimize(layer, &drive, state),
            Phase::Free | Phase::Nudged(_) | Phase::Clamped(_) => self.apply(layer, drive),
        };
        self.hold(layer, minimizer)
    }

    /// Returns layer `layer` after one step of gradient flow of size `step_size`:
    ///
    /// ```text
    /// s_k ← σ(u − ε/a_k ∂F/∂s_k),   u = σ⁻¹(s_k),   ∂F/∂s_k = a_k(u − drive) + β ∂C/∂s_k
    /// ```
    ///
    /// with the [curvature](VectorField::curvature) `a_k`, 1 unless the energy says otherwise. If
    /// `G = ½s²` this is `s ← clip(s − ε ∂F/∂s)`, eq. 43 of Scellier & Bengio (2017); otherwise the
    /// flow runs in `u`, as in Hopfield's network of graded neurons (mirror descent), so that it cannot
    /// leave the range of the activation.
    pub fn descend(&self, layer: usize, state: &State, step_size: f64) -> Tensor<2> {
        if let Some(output) = self.held(layer) {
            return self.hold(layer, output.clone());
        }
        let inverse = self.inverse(layer, state.layer(layer));
        let force = self.force(layer, state);
        let moved = self.apply(layer, inverse * (1.0 - step_size) + force * step_size);
        self.hold(layer, moved)
    }

    /// Returns `value` of layer `layer` with its [clamped](VectorField::held) units at their clamped
    /// values. Every update of a layer ends with this.
    pub fn hold(&self, layer: usize, value: Tensor<2>) -> Tensor<2> {
        match (self.energy.held(layer, self.clamped), &self.phase) {
            (None, _) => value,
            (Some(held), Phase::Holomorphic(_)) => held.complex().hold(value),
            (Some(held), _) => held.hold(value),
        }
    }

    /// Computes the whole relaxation as one fused computation, or returns `None` if it must go step by
    /// step: on a backend or in a precision without fast code, on autodiff, for complex states, and
    /// with layers or costs that fast code does not know.
    pub(crate) fn relax_fused(
        &self,
        update: Update,
        stopping: Stopping,
        start: &State,
    ) -> Option<Relaxed> {
        let shortcuts = self.energy.shortcuts(self.clamped);
        let mut layers = 0..self.energy.layers().len();
        if stopping.tolerance.is_none() && layers.all(|layer| self.stays(layer, start)) {
            // An equilibrium: each step leaves it as it is.
            let like = (&start.device(), start.output().dtype());
            return Some(Relaxed {
                state: start.clone(),
                residual: Tensor::zeros([start.batch_size()], like),
                n_steps: stopping.max_steps,
                tolerance: None,
            });
        }
        let output = match &self.phase {
            Phase::Free => fused::Output::Free,
            Phase::Nudged(nudged) => fused::Output::Nudged(nudged.quadratic()?),
            Phase::Clamped(output) => fused::Output::Clamped(output),
            Phase::Holomorphic(_) => return None,
        };
        let layers = self.energy.layers().iter().map(|layer| {
            Some(Layer {
                shape: layer.shape,
                response: layer.activation.response()?,
            })
        });
        let problem = Problem {
            layers: layers.collect::<Option<_>>()?,
            drives: shortcuts.drives()?,
            output,
            update,
            groups: self.energy.groups(),
            stopping,
        };
        let settled = fused::relax(&problem, start)?;
        shortcuts.keep(&settled.relaxed.state, settled.drives);
        Some(settled.relaxed)
    }

    /// Returns whether layer `layer` is known to stay unchanged, so that [`minimize`](Self::minimize)
    /// and [`descend`](Self::descend) would return it as it is.
    pub fn stays(&self, layer: usize, state: &State) -> bool {
        match &self.phase {
            Phase::Holomorphic(_) => false,
            Phase::Nudged(nudged) if nudged.acts_on(layer) => false,
            Phase::Clamped(_) if self.is_output(layer) => false,
            _ => self.energy.shortcuts(self.clamped).stays(layer, state),
        }
    }

    /// Returns the velocity of each layer under gradient flow, in `u = σ⁻¹(s)`:
    ///
    /// ```text
    /// v_k = −∂F/∂s_k = drive_k − β ∂C/∂s_k − σ⁻¹(s_k)
    /// ```
    ///
    /// It is 0 for a clamped output and for clamped units. See [`follow`](Self::follow).
    pub fn velocity(&self, state: &State) -> State {
        let layers = state.layers().iter().enumerate();
        let layers = layers.map(|(layer, value)| {
            if self.held(layer).is_some() {
                return value.zeros_like();
            }
            let velocity = self.force(layer, state) - self.inverse(layer, value);
            match self.energy.held(layer, self.clamped) {
                Some(held) => held.of_free(velocity),
                None => velocity,
            }
        });
        State::new(layers.collect())
    }

    /// Returns `σ(σ⁻¹(s_k) + ε v_k)` for each layer, with a step size ε for each example; a clamped output
    /// and clamped units take their clamped values. With the [`velocity`](Self::velocity) of `state` this is
    /// the result of [`descend`](Self::descend).
    ///
    /// # Shapes
    /// - `step_size`: `[batch, 1]`, or `[1, 1]` for all examples
    pub fn follow(&self, state: &State, velocity: &State, step_size: &Tensor<2>) -> State {
        let pairs = state.layers().iter().zip(velocity.layers());
        let layers = pairs.enumerate().map(|(layer, (value, velocity))| {
            if let Some(output) = self.held(layer) {
                return self.hold(layer, output.clone());
            }
            let moved = velocity.clone() * step_size.clone();
            self.hold(layer, self.apply(layer, self.inverse(layer, value) + moved))
        });
        State::new(layers.collect())
    }

    /// Each layer of a real state [rounded](Activation::round) to `levels`; an output that is held and clamped units go to
    /// where they are held.
    ///
    /// # Panics
    /// If a layer has no [levels](Activation::check_levels).
    pub fn round(&self, state: &State, levels: Levels) -> State {
        let layers = state.layers().iter().enumerate().map(|(layer, value)| {
            let rounded = match self.held(layer) {
                Some(output) => output.clone(),
                None => self.activation(layer).round(value.clone(), levels),
            };
            self.hold(layer, rounded)
        });
        State::new(layers.collect())
    }

    /// Returns `state` after a step of gradient descent in the prediction errors; see
    /// [`Scheme::ErrorDescent`](crate::relaxation::Scheme::ErrorDescent). `None` if the layers are not
    /// predicted, units of them are [clamped](VectorField::held), or the state is complex.
    pub(crate) fn descend_errors(&self, state: &State, step_size: f64) -> Option<State> {
        let n_layers = state.layers().len();
        if (0..n_layers).any(|layer| self.energy.held(layer, self.clamped).is_some()) {
            return None;
        }
        let forces: Vec<_> = match &self.phase {
            Phase::Nudged(nudged) => (0..n_layers)
                .map(|layer| nudged.force(layer, state))
                .collect(),
            Phase::Free | Phase::Clamped(_) => vec![None; n_layers],
            Phase::Holomorphic(_) => return None,
        };
        let acting = Acting {
            held: self.held(n_layers - 1),
            forces: &forces,
        };
        let shortcuts = self.energy.shortcuts(self.clamped);
        shortcuts.descend_errors(state, acting, step_size)
    }

    /// Returns the residual of each example, its distance from an equilibrium: the largest distance of
    /// a unit to its response, `max |minimize(s) − s|` over all layers. `[batch]`
    pub fn residual(&self, state: &State) -> Tensor<1> {
        let layers = (0..state.layers().len()).map(|layer| self.minimize(layer, state));
        State::new(layers.collect()).max_distance(state)
    }

    /// `drive_k − β/a_k ∂C/∂s_k`, [along](Activation::along) what the layer can do.
    fn force(&self, layer: usize, state: &State) -> Tensor<2> {
        let drive = self.energy.drive(layer, self.clamped, state);
        let force = match &self.phase {
            Phase::Nudged(nudged) => match nudged.force(layer, state) {
                Some(force) => drive + force,
                None => drive,
            },
            Phase::Holomorphic(nudge) => return nudge.force(layer, &drive, state).stack(),
            Phase::Free | Phase::Clamped(_) => drive,
        };
        self.activation(layer).along(state.layer(layer), force)
    }

    /// `σ` of a drive, complex where the state is.
    fn apply(&self, layer: usize, drive: Tensor<2>) -> Tensor<2> {
        let activation = self.activation(layer);
        match &self.phase {
            Phase::Holomorphic(_) => activation.apply_complex(Complex::split(&drive)).stack(),
            _ => activation.apply(drive),
        }
    }

    /// `σ⁻¹` of a layer, complex where the state is.
    fn inverse(&self, layer: usize, value: &Tensor<2>) -> Tensor<2> {
        let activation = self.activation(layer);
        match &self.phase {
            Phase::Holomorphic(_) => activation.inverse_complex(Complex::split(value)).stack(),
            _ => activation.inverse(value.clone()),
        }
    }

    /// The value at which a whole layer is clamped, if it is.
    fn held(&self, layer: usize) -> Option<&Tensor<2>> {
        match &self.phase {
            Phase::Clamped(output) if self.is_output(layer) => Some(output),
            _ => None,
        }
    }

    fn activation(&self, layer: usize) -> Activation {
        self.energy.layers()[layer].activation
    }

    fn is_output(&self, layer: usize) -> bool {
        layer + 1 == self.energy.layers().len()
    }
}

impl<E: Energy, C: Cost> TotalEnergy<'_, E, C> {
    /// Returns `F` of each example; for complex states, the real part of `F`.
    ///
    /// # Shapes
    /// - output: `[batch]`
    pub fn value(&self, state: &State) -> Tensor<1> {
        match &self.phase {
            Phase::Free | Phase::Clamped(_) => self.energy.energy(self.clamped, state),
            Phase::Nudged(nudged) => self.energy.energy(self.clamped, state) + nudged.value(state),
            Phase::Holomorphic(nudge) => nudge.value(self.energy, self.clamped, state),
        }
    }
}
