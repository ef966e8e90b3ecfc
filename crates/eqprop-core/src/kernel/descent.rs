//! Steps of stochastic gradient descent in one pass.

use super::simd::vectorized;
use super::team::share;
use super::threads::threads_for;

/// Minimum number of parameters per thread.
const WORTH_A_THREAD: usize = 50_000;

/// Velocities smaller than this in magnitude become 0. The velocity of a weight whose gradient stays 0
/// shrinks until it is subnormal, and arithmetic on subnormal numbers takes a hundred times as long.
const NEGLIGIBLE: f32 = 1e-30;

/// The options of a step.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    /// Learning rate.
    pub rate: f32,
    /// Momentum.
    pub momentum: f32,
    /// Weight decay.
    pub decay: f32,
    /// Whether to use Nesterov momentum.
    pub nesterov: bool,
}

impl Pass {
    /// Overwrites the parameters and the velocity with those after the step.
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
                    let next = g + *v * self.momentum;
                    *v = if next.abs() < NEGLIGIBLE { 0.0 } else { next };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_velocity_never_lingers_among_subnormal_numbers() {
        let pass = Pass {
            rate: 0.1,
            momentum: 0.9,
            decay: 0.0,
            nesterov: false,
        };
        let (mut parameters, mut velocity) = (vec![0.5; 40], vec![0.0; 40]);
        pass.run(&mut parameters, &[1.0; 40], Some(&mut velocity));
        for _ in 0..1_000 {
            pass.run(&mut parameters, &[0.0; 40], Some(&mut velocity));
            assert!(velocity.iter().all(|v| *v == 0.0 || v.is_normal()));
        }
        assert_eq!(velocity, [0.0; 40]);
        // They have moved by the sum of the geometric series, 0.1 / (1 - 0.9).
        assert!(parameters.iter().all(|x| (x + 0.5).abs() < 1e-5));
    }
}
