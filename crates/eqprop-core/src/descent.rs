//! Parameter updates: stochastic gradient descent in one pass.

use burn::tensor::Tensor;

use crate::fused::{Step, operations};
use crate::gradients::OuterProduct;

/// Stochastic gradient descent with momentum and weight decay:
///
/// ```text
/// g ← ∂C/∂θ + λ θ
/// v ← μ v + g                       (v ← g in the first step)
/// θ ← θ − η v,  or θ ← θ − η (g + μ v) with Nesterov's momentum
/// ```
///
/// The results are those of Burn's `Sgd` with a dampening of 0. On the CPU backend `flex`, in `f32`, a
/// step is one multithreaded pass, which overwrites parameter and velocity in place if they are not
/// shared.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Descent {
    /// Momentum `μ`; at 0 there is no velocity.
    pub momentum: f64,
    /// Whether the momentum is Nesterov's.
    pub nesterov: bool,
    /// Weight decay `λ`.
    pub weight_decay: f64,
}

impl Descent {
    /// Returns the weights after a step of learning rate `η`, without momentum, along a gradient that is an
    /// outer product. In `f32`, on `flex` and on GPU backends, the product is added to the weights as it is
    /// formed.
    ///
    /// # Panics
    /// If the momentum is not 0.
    ///
    /// # Shapes
    /// - output: that of the weights
    pub fn step_along<const D: usize>(
        &self,
        learning_rate: f64,
        weights: Tensor<D>,
        gradient: &OuterProduct,
    ) -> Tensor<D> {
        assert!(self.momentum == 0.0, "there is no velocity to step with");
        let shape = weights.dims();
        let [n_in, n_out] = gradient.shape();
        let mut weights = weights.reshape([n_in, n_out]);
        if self.weight_decay == 0.0 {
            weights = match operations::descend_along(learning_rate, weights, gradient.factors()) {
                Ok(after) => return after.reshape(shape),
                Err(before) => before,
            };
        }
        let (after, _) = self.step(learning_rate, weights, gradient.form(), None);
        after.reshape(shape)
    }

    /// Returns the parameter and the velocity after a step of learning rate `η`.
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

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, Tensor, TensorData, Tolerance};

    use super::*;

    /// A matrix in which some columns are 0, as in images.
    fn matrix(rows: usize, columns: usize, seed: usize, dtype: DType) -> Tensor<2> {
        let number = |index: usize| match (index % columns).is_multiple_of(5) {
            true => 0.0,
            false => ((index * 37 + seed * 101) % 61) as f64 / 30.0 - 1.0,
        };
        let numbers: Vec<f64> = (0..rows * columns).map(number).collect();
        let device = Device::default();
        Tensor::from_data(TensorData::new(numbers, [rows, columns]), (&device, dtype))
    }

    #[test]
    fn a_step_along_a_product_is_a_step_along_the_gradient_that_it_forms() {
        for dtype in [DType::F32, DType::F64] {
            for weight_decay in [0.0, 0.1] {
                let descent = Descent {
                    weight_decay,
                    ..Descent::default()
                };
                let (before, after) = (matrix(20, 150, 1, dtype), matrix(20, 130, 2, dtype));
                let expected = before.clone().transpose().matmul(after.clone());
                let product = OuterProduct::new([before, after]);
                let same = |found: Tensor<2>, expected: &Tensor<2>| {
                    let (found, expected) = (found.into_data(), expected.clone().into_data());
                    found.assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-5));
                };
                same(product.form(), &expected);
                let weights = matrix(150, 130, 3, dtype);
                let (stepped, _) = descent.step(0.2, weights.clone(), expected, None);
                same(descent.step_along(0.2, weights.clone(), &product), &stepped);
                // Somebody else still holds them.
                same(weights, &matrix(150, 130, 3, dtype));
            }
        }
    }

    #[test]
    #[should_panic(expected = "no velocity")]
    fn a_step_along_a_product_has_no_momentum() {
        let product = OuterProduct::new([(); 2].map(|()| matrix(1, 2, 1, DType::F32)));
        let descent = Descent {
            momentum: 0.9,
            ..Descent::default()
        };
        descent.step_along(0.1, matrix(2, 2, 2, DType::F32), &product);
    }
}
