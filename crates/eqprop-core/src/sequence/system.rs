//! A system that conserves energy, and its trajectory under a sequence of inputs.

use burn::module::Module;
use burn::tensor::Tensor;

use super::leapfrog::LeapfrogConfig;
use super::motion::Motion;
use super::potential::Potential;
use crate::error::assert_valid;

/// A Hamiltonian system: units that move in a potential without friction, driven by a sequence of inputs.
///
/// ```text
/// H(θ, y, z, u) = ½│z│² + V(θ, y, u)        dy/dt = z        dz/dt = −∂V/∂y(θ, y, u_t)
/// ```
///
/// Its trajectory is that of the [leapfrog](LeapfrogConfig) integrator, and a loss is a function of the
/// positions after each input. With parameters on autodiff [`run`](Self::run) records every step, which is
/// backpropagation through time; [`HamiltonianEcho`](super::HamiltonianEcho) computes the same gradient
/// without.
///
/// # Reference
/// Pourcel & Ernoult (2025), <https://arxiv.org/abs/2506.05259>
#[derive(Module, Debug)]
pub struct HamiltonianSystem<P: Potential> {
    /// The potential `V`.
    pub potential: P,
    #[module(skip)]
    leapfrog: LeapfrogConfig,
}

impl<P: Potential> HamiltonianSystem<P> {
    /// Creates a system that moves in `potential` by the steps of `leapfrog`.
    ///
    /// # Panics
    /// If [`LeapfrogConfig::validate`] fails, with its message.
    pub fn new(potential: P, leapfrog: LeapfrogConfig) -> Self {
        assert_valid(leapfrog.validate());
        Self {
            potential,
            leapfrog,
        }
    }

    /// Returns the integrator.
    pub fn leapfrog(&self) -> LeapfrogConfig {
        self.leapfrog
    }

    /// Returns the initial motion, with positions and momenta of 0, one row for each sequence of
    /// `inputs`.
    ///
    /// # Shapes
    /// - `inputs`: `[batch, n_steps, n_inputs]`
    pub fn rest(&self, inputs: &Tensor<3>) -> Motion {
        let shape = [inputs.dims()[0], self.potential.n_units()];
        let options = (&inputs.device().without_autodiff(), inputs.dtype());
        let zeros = Tensor::zeros(shape, options);
        let position = match inputs.is_autodiff() {
            true => zeros.autodiff(),
            false => zeros,
        };
        Motion {
            momentum: position.clone(),
            position,
        }
    }

    /// Returns the motion after all `inputs`, from `start`.
    ///
    /// # Shapes
    /// - `inputs`: `[batch, n_steps, n_inputs]`
    ///
    /// # Panics
    /// If there is no input, or their size is not that of the potential.
    pub fn run(&self, inputs: &Tensor<3>, start: Motion) -> Motion {
        self.run_observed(inputs, start, |_| {})
    }

    /// Runs as [`run`](Self::run) does, and calls `observe` with the motion after each input.
    pub fn run_observed(
        &self,
        inputs: &Tensor<3>,
        start: Motion,
        mut observe: impl FnMut(&Motion),
    ) -> Motion {
        let n_inputs = self.check_inputs(inputs);
        let (potential, prepared) = (&self.potential, self.potential.prepare());
        let mut motion = start;
        for step in 0..n_inputs {
            let held = potential.hold(&prepared, &input_at(inputs, step));
            for _ in 0..self.leapfrog.steps_per_input {
                let force = |position| potential.force(&prepared, &held, &position);
                motion = self.leapfrog.step(motion, force);
            }
            observe(&motion);
        }
        motion
    }

    /// Computes `H` of each example, `[batch]`, while `input` is held.
    ///
    /// # Shapes
    /// - `input`: `[batch, n_inputs]`
    pub fn energy(&self, input: &Tensor<2>, motion: &Motion) -> Tensor<1> {
        let (potential, prepared) = (&self.potential, self.potential.prepare());
        let held = potential.hold(&prepared, input);
        let kinetic = motion.momentum.clone().square().sum_dim(1).squeeze_dim(1) * 0.5;
        kinetic + potential.value(&prepared, &held, &motion.position)
    }

    /// Returns the number of inputs in each sequence.
    ///
    /// # Panics
    /// If there is none, or their size is not that of the potential.
    pub(super) fn check_inputs(&self, inputs: &Tensor<3>) -> usize {
        let [_, n_steps, width] = inputs.dims();
        let expected = self.potential.n_inputs();
        assert!(
            n_steps > 0 && width == expected,
            "a sequence needs at least one input of {expected} values, as [batch, n_steps, {expected}], but has the \
             shape {:?}",
            inputs.dims()
        );
        n_steps
    }
}

/// Input number `step`, `[batch, n_inputs]`.
pub(super) fn input_at(inputs: &Tensor<3>, step: usize) -> Tensor<2> {
    inputs.clone().narrow(1, step, 1).squeeze_dim(1)
}
