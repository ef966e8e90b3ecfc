//! Gradient flow with a separate step size for each example.

use core::fmt;

use burn::tensor::Tensor;

use super::dynamics::Dynamics;
use crate::cost::Cost;
use crate::energy::{TotalEnergy, VectorField};
use crate::error::{ConfigError, assert_valid};
use crate::state::State;

/// The first step size, and that of a single step outside a relaxation.
pub(super) const FIRST_STEP: f64 = 0.5;
/// The range of step sizes.
const STEPS: [f64; 2] = [1e-4, 10.0];
/// Range of the factor by which a step size changes.
const FACTORS: [f64; 2] = [0.2, 2.0];
/// Fraction of the allowed error that a new step size aims at.
const SAFETY: f64 = 0.9;
/// Keeps ratios of lengths from dividing by 0; its square is representable in `f32`.
const TINY: f64 = 1e-18;

/// Gradient flow with a separate step size for each example, controlled by the error of a step.
///
/// ```text
/// du/dt = v(s),   v_k = −∂F/∂s_k,   u_k = σ_k⁻¹(s_k)
///
/// s' = σ(u + h v(s))                                Euler's step, as `Scheme::GradientFlow`
/// e  = ½ h |v(s') − v(s)| / |s' − s|                what Heun's step adds to it, relatively
/// s  ← s' where e ≤ error, else s
/// h  ← h · clip(0.9 · error / e, 0.2, 2)
/// ```
///
/// The pair of Euler and Heun and its controller are those of Hairer, Nørsett & Wanner, "Solving
/// Ordinary Differential Equations I" (1993), §II.4; the next step reuses `v(s')`, so that a step costs
/// one evaluation of the drives. Because the error is relative to the step, `h` settles where the step
/// is stable, and not where rounding hides the error. For an energy that is quadratic apart from the
/// potentials
///
/// ```text
/// F(s') − F(s) ≤ −(1 − e) |s' − s|²/h
/// ```
///
/// so with an error below 1 no step raises the energy. A smaller error follows the flow more closely, a
/// larger one reaches the equilibrium in fewer steps. Nothing is read back from the device.
///
/// The step size suits the state, not its derivatives: backpropagation through time should use
/// `Scheme::GradientFlow` instead.
#[derive(Debug, Clone)]
pub struct AdaptiveFlow {
    error: f64,
    next: Option<NextStep>,
}

#[derive(Debug, Clone)]
struct NextStep {
    /// The next step size, `[batch, 1]`.
    step: Tensor<2>,
    /// `v` of each layer at the current state.
    velocity: State,
}

impl AdaptiveFlow {
    /// Creates a flow whose steps have a relative error of at most `error`.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) fails, with its message.
    pub fn new(error: f64) -> Self {
        assert_valid(Self::validate(error));
        Self { error, next: None }
    }

    /// Checks the range.
    ///
    /// # Errors
    /// If the error is not in (0, 1).
    pub fn validate(error: f64) -> Result<(), ConfigError> {
        let (field, expected) = ("adaptive_flow error", "greater than 0 and less than 1");
        ConfigError::in_range(field, expected, error, error > 0.0 && error < 1.0)?;
        ConfigError::single_precision(field, error)
    }
}

impl fmt::Display for AdaptiveFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "adaptive flow, error {}", self.error)
    }
}

impl Dynamics for AdaptiveFlow {
    fn step<E: VectorField, C: Cost>(&mut self, total: &TotalEnergy<'_, E, C>, state: &mut State) {
        let like = (&state.device(), state.output().dtype());
        let NextStep { step, velocity } = self.next.take().unwrap_or_else(|| NextStep {
            step: Tensor::full([state.batch_size(), 1], FIRST_STEP, like),
            velocity: total.velocity(state),
        });
        let next = total.follow(state, &velocity, &step);
        let next_velocity = total.velocity(&next);
        let moved = squared_distance(&next, state).sqrt();
        let turned = squared_distance(&next_velocity, &velocity).sqrt();
        let error = turned * step.clone() * 0.5 / (moved + TINY);
        let lost = error.clone().lower_equal_elem(self.error).bool_not();
        let choose = |new: &State, old: &State| {
            let layers = new.layers().iter().zip(old.layers());
            let layers = layers.map(|(new, old)| {
                let lost = lost.clone().expand(new.dims());
                new.clone().mask_where(lost, old.clone())
            });
            State::new(layers.collect())
        };
        let [least, most] = FACTORS;
        let factor = ((error + TINY).recip() * (SAFETY * self.error)).clamp(least, most);
        let [shortest, longest] = STEPS;
        self.next = Some(NextStep {
            // A constant when the steps are differentiated.
            step: (step * factor).clamp(shortest, longest).detach(),
            velocity: choose(&next_velocity, &velocity),
        });
        *state = choose(&next, state);
    }

    fn begin(&self) -> impl Dynamics {
        Self::new(self.error)
    }

    /// The distance between `after` and the state that a step of size 1 from it would reach.
    fn residual<E: VectorField, C: Cost>(
        &self,
        total: &TotalEnergy<'_, E, C>,
        _before: &State,
        after: &State,
    ) -> Tensor<1> {
        let velocity = match &self.next {
            Some(next) => next.velocity.clone(),
            None => total.velocity(after),
        };
        let like = (&after.device(), after.output().dtype());
        let whole = total.follow(after, &velocity, &Tensor::ones([1, 1], like));
        whole.max_distance(after)
    }
}

/// `Σ (a − b)²` over all units of each example, `[batch, 1]`.
fn squared_distance(a: &State, b: &State) -> Tensor<2> {
    let pairs = a.layers().iter().zip(b.layers());
    let squares = pairs.map(|(a, b)| {
        let difference = a.clone() - b.clone();
        (difference.clone() * difference).sum_dim(1)
    });
    let sum = squares.reduce(|sum, square| sum + square);
    sum.expect("a state has at least one layer")
}
