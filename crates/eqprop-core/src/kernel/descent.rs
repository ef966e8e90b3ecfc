//! Steps of stochastic gradient descent in one pass.

use super::simd::vectorized;
use super::team::share;
use super::threads::threads_for;

/// Numbers that are worth a thread.
const WORTH_A_THREAD: usize = 50_000;

/// The options of a step.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    /// Learning rate.
    pub rate: f32,
    /// Momentum.
    pub momentum: f32,
    /// Weight decay.
    pub decay: f32,
    /// Whether the momentum is Nesterov's.
    pub nesterov: bool,
}

impl Pass {
    /// Overwrites parameters and velocity by those after the step.
    pub fn run(self, parameters: &mut [f32], gradients: &[f32], velocity: Option<&mut [f32]>) {
        let n = gradients.len();
        let n_threads = threads_for(n, WORTH_A_THREAD);
        let part = n.div_ceil(n_threads).max(1);
        let parts = parameters.chunks_mut(part).zip(gradients.chunks(part));
        match velocity {
            None => share(parts.collect(), n_threads, |(parameters, gradients)| {
                self.plain(parameters, gradients);
            }),
            Some(velocity) => {
                let parts = parts.zip(velocity.chunks_mut(part)).collect();
                share(parts, n_threads, |((parameters, gradients), velocity)| {
                    self.with_momentum(parameters, gradients, velocity);
                });
            }
        }
    }

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
