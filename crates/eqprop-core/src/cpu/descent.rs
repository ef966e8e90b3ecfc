//! Steps of gradient descent in one pass.

use burn::tensor::{DType, Tensor};
use rayon::prelude::*;

use super::simd::vectorized;
use super::{Floats, threads_for};
use crate::descent::Descent;

/// Numbers that are worth a thread.
const WORTH_A_THREAD: usize = 50_000;

/// Parameter, gradient and velocity.
type Before<const D: usize> = (Tensor<D>, Tensor<D>, Option<Tensor<D>>);
/// Parameter and velocity.
type After<const D: usize> = (Tensor<D>, Option<Tensor<D>>);

/// A step of learning rate `rate`, in place; what it was given if that is not for this backend.
#[allow(
    clippy::result_large_err,
    reason = "the tensors must be handed back, so that nobody else holds them"
)]
pub(crate) fn descend<const D: usize>(
    descent: &Descent,
    rate: f64,
    (parameter, gradient, velocity): Before<D>,
) -> Result<After<D>, Before<D>> {
    let shape = parameter.dims();
    let fits = |tensor: &Tensor<D>| tensor.dims() == shape && Floats::of(tensor).is_some();
    if !fits(&parameter) || !fits(&gradient) || !velocity.as_ref().is_none_or(fits) {
        return Err((parameter, gradient, velocity));
    }
    let checked = "checked to be for this backend";
    let device = parameter.device();
    let gradient = Floats::of(&gradient).expect(checked);
    let mut parameter = Floats::owned(parameter).expect(checked);
    // In a first step μ v is 0.
    let mut velocity = (descent.momentum != 0.0).then(|| {
        let velocity = velocity.unwrap_or_else(|| Tensor::zeros(shape, (&device, DType::F32)));
        Floats::owned(velocity).expect(checked)
    });
    let pass = Pass {
        rate: rate as f32,
        momentum: descent.momentum as f32,
        decay: descent.weight_decay as f32,
        nesterov: descent.nesterov,
    };
    let n = gradient.slice().len();
    let part = n.div_ceil(threads_for(n, WORTH_A_THREAD)).max(1);
    let (parameters, gradients) = (parameter.slice_mut(), gradient.slice());
    match &mut velocity {
        None if part >= n => pass.plain(parameters, gradients),
        None => {
            let parts = parameters.par_chunks_mut(part);
            let parts = parts.zip(gradients.par_chunks(part));
            parts.for_each(|(parameters, gradients)| pass.plain(parameters, gradients));
        }
        Some(velocity) if part >= n => {
            pass.with_momentum(parameters, gradients, velocity.slice_mut());
        }
        Some(velocity) => {
            let parts = parameters.par_chunks_mut(part);
            let parts = parts.zip(gradients.par_chunks(part));
            let parts = parts.zip(velocity.slice_mut().par_chunks_mut(part));
            parts.for_each(|((parameters, gradients), velocity)| {
                pass.with_momentum(parameters, gradients, velocity);
            });
        }
    }
    Ok((parameter.into_tensor(), velocity.map(Floats::into_tensor)))
}

/// [`Descent`] with a learning rate.
#[derive(Debug, Clone, Copy)]
struct Pass {
    rate: f32,
    momentum: f32,
    decay: f32,
    nesterov: bool,
}

impl Pass {
    fn plain(self, parameters: &mut [f32], gradients: &[f32]) {
        vectorized(
            #[inline(always)]
            || {
                for (x, &g) in parameters.iter_mut().zip(gradients) {
                    let g = *x * self.decay + g;
                    *x -= g * self.rate;
                }
            },
        );
    }

    fn with_momentum(self, parameters: &mut [f32], gradients: &[f32], velocity: &mut [f32]) {
        vectorized(
            #[inline(always)]
            || {
                let numbers = parameters.iter_mut().zip(gradients).zip(velocity);
                for ((x, &g), v) in numbers {
                    let g = *x * self.decay + g;
                    *v = g + *v * self.momentum;
                    let direction = if self.nesterov {
                        *v * self.momentum + g
                    } else {
                        *v
                    };
                    *x -= direction * self.rate;
                }
            },
        );
    }
}
