//! The gradient of a loss over a trajectory, from its echo.

use burn::module::Module;
use burn::tensor::Tensor;

use super::motion::Motion;
use super::pair::Pair;
use super::potential::{Potential, Visit};
use super::system::{HamiltonianSystem, input_at};
use crate::error::{ConfigError, assert_valid};
use crate::gradients::Gradients;

/// Number of steps whose contrasts are formed as one product.
const WINDOW: usize = 8;

/// The Hamiltonian echo: the gradient of a loss over a whole trajectory.
///
/// ```text
/// L(θ, u) = Σ_t ℓ_t(y_t)        g_t = ∂ℓ_t/∂y_t        y_t: the position after input t = 1 … T
///
/// start     (z, y) = (−z_T ± ε g_T, y_T)
/// echo      t = T … 1: the steps of the system with input u_t; then, if t > 1, z ← z ± ε g_{t−1}
///
/// dL/dθ = −h/2ε Σ [∂V/∂θ(y½) at +ε − ∂V/∂θ(y½) at −ε] + O(ε²)
/// ```
///
/// over all steps, at the positions `y½` at which their forces were evaluated. Its limit as ε → 0 is the
/// gradient of the discretized loss itself, whatever the step size `h`: that of backpropagation through the
/// same steps. Memory does not grow with the number of steps: of the trajectory only the inputs, both ends
/// and the slopes are kept.
///
/// The two echoes are computed as their [mean and half their difference](Pair), which is the same in exact
/// arithmetic. The difference then keeps all of its digits, however small ε is.
///
/// # The choice of ε
/// The error falls as `ε²` down to the rounding error, which does not depend on ε: the distance by which the
/// mean of the echoes misses the original trajectory ([`Echo::residual`], which a training may watch). So ε
/// should be small:
///
/// | numbers | ε | relative error after 1,000 steps | after 10,000 |
/// | --- | --- | --- | --- |
/// | `f32` | 1e-3 | 3e-6 | 2e-5 |
/// | `f64` | 1e-6 | 4e-14 | 9e-13 |
///
/// These are for eight oscillators whose coupling is weak enough that they are not chaotic
/// (`examples/sequence.rs`). ε is in units of a momentum per slope. A potential that [computes differences of
/// forces](Potential::force_pair) by subtraction loses digits as `1/ε`: with it 1e-1 to 1e-2 is best in `f32`
/// and 1e-5 in `f64`. In a chaotic system rounding errors grow exponentially along the echo, and so does the
/// gradient.
///
/// # Reference
/// Pourcel & Ernoult (2025), <https://arxiv.org/abs/2506.05259>; as a principle of stationary action:
/// <https://arxiv.org/abs/2506.06248>
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HamiltonianEcho {
    epsilon: f64,
}

/// The trajectory of a system.
#[derive(Debug, Clone)]
pub struct Course<'a> {
    /// The inputs, `[batch, n_steps, n_inputs]`.
    pub inputs: &'a Tensor<3>,
    /// The initial positions and momenta.
    pub start: Motion,
    /// The final positions and momenta.
    pub end: Motion,
}

/// The slopes `g_t = ∂ℓ_t/∂y_t` of the loss of each example.
#[derive(Debug, Clone)]
pub enum LossSlopes {
    /// For a loss of the last position alone, `[batch, n_units]`.
    AtEnd(Tensor<2>),
    /// For the positions after every input, `[batch, n_steps, n_units]`.
    AtEveryInput(Tensor<3>),
}

/// The result of an echo.
#[derive(Debug)]
pub struct Echo {
    /// The gradient of the batch mean of the loss.
    pub gradients: Gradients,
    /// The slope of the loss of each example in its inputs, `[batch, n_steps, n_inputs]`, if requested.
    pub input_slopes: Option<Tensor<3>>,
    /// The distance by which the mean of the echoes misses the start of the trajectory, in the unit that is
    /// furthest off; `[batch]`. It consists of rounding and `O(ε²)`.
    pub residual: Tensor<1>,
}

impl LossSlopes {
    /// # Panics
    /// If the slopes do not have the shape of the positions in `course`.
    fn check(&self, course: &Course<'_>) {
        let [batch, n_steps, _] = course.inputs.dims();
        let [_, n_units] = course.end.position.dims();
        let (found, expected) = match self {
            Self::AtEnd(slope) => (slope.dims().to_vec(), vec![batch, n_units]),
            Self::AtEveryInput(slopes) => (slopes.dims().to_vec(), vec![batch, n_steps, n_units]),
        };
        assert_eq!(
            found, expected,
            "the slopes of a loss have the shape of the positions that it is of"
        );
    }

    fn without_autodiff(&self) -> Self {
        match self.clone() {
            Self::AtEnd(slope) => Self::AtEnd(slope.without_autodiff()),
            Self::AtEveryInput(slopes) => Self::AtEveryInput(slopes.without_autodiff()),
        }
    }

    /// `g_t`, with `step = t − 1`.
    fn at(&self, step: usize, n_steps: usize) -> Option<Tensor<2>> {
        match self {
            Self::AtEnd(slope) => (step + 1 == n_steps).then(|| slope.clone()),
            Self::AtEveryInput(slopes) => Some(input_at(slopes, step)),
        }
    }
}

impl HamiltonianEcho {
    /// Creates echoes nudged by `±epsilon` times the slopes of the loss.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) fails, with its message.
    pub fn new(epsilon: f64) -> Self {
        let echo = Self { epsilon };
        assert_valid(echo.validate());
        echo
    }

    /// Returns ε.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Checks ε.
    ///
    /// # Errors
    /// If it is not a positive number.
    pub fn validate(&self) -> Result<(), ConfigError> {
        ConfigError::positive_number("epsilon", self.epsilon)
    }

    /// Computes the gradient of the parameters.
    ///
    /// # Panics
    /// As [`HamiltonianSystem::run`], and if the shape of the slopes differs from that of their positions.
    pub fn retrace<P: Potential>(
        &self,
        system: &HamiltonianSystem<P>,
        course: &Course<'_>,
        slopes: &LossSlopes,
    ) -> Echo {
        self.echo(system, course, slopes, None)
    }

    /// Computes the gradient of the parameters and the slopes of the inputs, for the layers that the
    /// inputs come from.
    ///
    /// # Panics
    /// As [`retrace`](Self::retrace).
    pub fn retrace_with_inputs<P: Potential>(
        &self,
        system: &HamiltonianSystem<P>,
        course: &Course<'_>,
        slopes: &LossSlopes,
    ) -> Echo {
        self.echo(system, course, slopes, Some(Vec::new()))
    }

    /// Computes the two echoes as one; the slopes of the inputs go into `below`, the last input's
    /// first.
    fn echo<P: Potential>(
        &self,
        system: &HamiltonianSystem<P>,
        course: &Course<'_>,
        slopes: &LossSlopes,
        mut below: Option<Vec<Tensor<2>>>,
    ) -> Echo {
        let n_steps = system.check_inputs(course.inputs);
        slopes.check(course);
        // Nothing in an echo is recorded: it is the backward pass.
        let system = &system.valid();
        let inputs = &course.inputs.clone().without_autodiff();
        let [start, end] =
            [&course.start, &course.end].map(|place| place.clone().without_autodiff());
        let slopes = &slopes.without_autodiff();
        let (potential, leapfrog) = (&system.potential, system.leapfrog());
        let prepared = potential.prepare();
        let n_examples = inputs.dims()[0] as f64;
        let scale = -leapfrog.step_size / (2.0 * self.epsilon);

        let reversed = end.reversed();
        let [position, momentum] = [reversed.position, reversed.momentum];
        let mut motion = Motion {
            position: unmoved(position).rows().clone(),
            momentum: unmoved(momentum).rows().clone(),
        };
        let mut sums = Gradients::new();
        let mut window = Vec::with_capacity(WINDOW);
        let contrast = |window: &mut Vec<_>, sums: &mut Gradients| {
            let terms = potential.contrast(&prepared, window, scale / n_examples);
            window.clear();
            match sums.is_empty() {
                true => *sums = terms,
                false => sums.add(&terms, potential),
            }
        };
        for step in (0..n_steps).rev() {
            if let Some(slope) = slopes.at(step, n_steps) {
                motion.momentum = kicked(motion.momentum, slope * self.epsilon);
            }
            let input = input_at(inputs, step);
            let held = potential.hold(&prepared, &input);
            let mut of_input = below.is_some().then(|| input.zeros_like());
            for _ in 0..leapfrog.steps_per_input {
                motion = leapfrog.step(motion, |halfway| {
                    let positions = Pair::from_rows(halfway);
                    let (force, slopes) = potential.force_pair(&prepared, &held, &positions);
                    let input = input.clone();
                    let visit = Visit {
                        input,
                        positions,
                        slopes,
                    };
                    of_input = of_input
                        .take()
                        .map(|sum| sum + potential.input_contrast(&prepared, &visit, scale));
                    window.push(visit);
                    force.rows().clone()
                });
                if window.len() == WINDOW {
                    contrast(&mut window, &mut sums);
                }
            }
            below
                .iter_mut()
                .for_each(|below| below.extend(of_input.take()));
        }
        if !window.is_empty() {
            contrast(&mut window, &mut sums);
        }
        let returned = Motion {
            position: Pair::from_rows(motion.position).mean(),
            momentum: Pair::from_rows(motion.momentum).mean(),
        };
        Echo {
            gradients: sums,
            input_slopes: below.map(|mut below| {
                below.reverse();
                Tensor::stack(below, 1)
            }),
            residual: missed(&start, returned.reversed()),
        }
    }
}

/// A pair of equal states.
fn unmoved(state: Tensor<2>) -> Pair {
    let nothing = state.zeros_like();
    Pair::new(state, nothing)
}

/// The rows of a pair, with `kick` added to the first state and subtracted from the second.
fn kicked(rows: Tensor<2>, kick: Tensor<2>) -> Tensor<2> {
    let pair = Pair::from_rows(rows);
    Pair::new(pair.mean(), pair.half_difference() + kick)
        .rows()
        .clone()
}

/// How far `found` is from `expected` in the unit that is furthest off, `[batch]`.
fn missed(expected: &Motion, found: Motion) -> Tensor<1> {
    let position = (found.position - expected.position.clone()).abs();
    let momentum = (found.momentum - expected.momentum.clone()).abs();
    position.max_pair(momentum).max_dim(1).squeeze_dim(1)
}
