//! The update of a parameter: stochastic gradient descent in one pass.

use burn::tensor::Tensor;

use crate::fused::{Step, operations};

/// Stochastic gradient descent with momentum and weight decay:
///
/// ```text
/// g ← ∂C/∂θ + λ θ
/// v ← μ v + g                       (v ← g in the first step)
/// θ ← θ − η v,  or θ ← θ − η (g + μ v) with Nesterov's momentum
/// ```
///
/// The same numbers as Burn's `Sgd` with a dampening of 0. On the CPU backend `flex`, `f32`, a step
/// is one pass on all threads that overwrites parameter and velocity where nobody else holds them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Descent {
    /// `μ`; at 0 there is no velocity.
    pub momentum: f64,
    /// Whether the momentum is Nesterov's.
    pub nesterov: bool,
    /// `λ`.
    pub weight_decay: f64,
}

impl Descent {
    /// The parameter and the velocity after a step of learning rate `η`.
    ///
    /// # Shapes
    /// - all: that of the parameter
    pub fn step<const D: usize>(
        &self,
        learning_rate: f64,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        velocity: Option<Tensor<D>>,
    ) -> (Tensor<D>, Option<Tensor<D>>) {
        let step = Step {
            learning_rate,
            momentum: self.momentum,
            nesterov: self.nesterov,
            weight_decay: self.weight_decay,
        };
        let before = (parameter, gradient, velocity);
        let (parameter, gradient, velocity) = match operations::descend(step, before) {
            Ok(after) => return after,
            Err(before) => before,
        };
        let gradient = match self.weight_decay {
            0.0 => gradient,
            decay => parameter.clone() * decay + gradient,
        };
        if self.momentum == 0.0 {
            return (parameter - gradient * learning_rate, None);
        }
        let velocity = match velocity {
            Some(velocity) => gradient.clone() + velocity * self.momentum,
            None => gradient.clone(),
        };
        let direction = match self.nesterov {
            true => velocity.clone() * self.momentum + gradient,
            false => velocity.clone(),
        };
        (parameter - direction * learning_rate, Some(velocity))
    }
}
