//! The steps and the time that each dynamics needs to come near an equilibrium.
//!
//! All dynamics are judged by the same residual, that of the synchronous fixed point: `max |σ(drive) − s|`
//! over the units of an example, whatever a dynamics itself reports as its residual.

use burn::tensor::{Device, Tensor};
use eqprop_core::cost::Cost;
use eqprop_core::energy::{TotalEnergy, VectorField};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_train::network::EquilibriumNetwork;
use serde::Serialize;

use crate::timing::{Spread, seconds_of};

/// The residuals to be reached.
pub const RESIDUALS: [f64; 4] = [1e-2, 1e-3, 1e-4, 1e-6];

/// A followed relaxation ends when its own residual is this small: nothing more would change.
const AT_REST: f64 = 1e-8;

/// The cost of a free phase with one dynamics.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RelaxationCost {
    /// The dynamics.
    pub dynamics: Scheme,
    /// Steps and time to each of [`RESIDUALS`].
    pub reached: Vec<Reached>,
    /// Steps of the timed relaxation: up to the smallest residual that the batch reached.
    pub timed_steps: usize,
    /// Seconds per step, as the mean over that relaxation.
    pub step: Spread,
}

/// Steps and time until a residual was reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Reached {
    /// The residual.
    pub residual: f64,
    /// Steps until half of the examples had reached it, if they did.
    pub half: Option<usize>,
    /// Steps until all examples were within it, if they came to be.
    pub all: Option<usize>,
    /// Seconds for all examples, at the median time of a step.
    pub seconds: Option<f64>,
}

/// A comparison of dynamics.
#[derive(Debug, Clone)]
pub struct RelaxationComparison {
    /// The dynamics.
    pub dynamics: Vec<Scheme>,
    /// The most steps for each dynamics.
    pub max_steps: usize,
    /// Number of timed relaxations per dynamics; they take turns.
    pub rounds: usize,
}

impl RelaxationComparison {
    /// Follows the free phase of `input` with each dynamics, then times it. `observe` is called before each
    /// relaxation with the numbers of relaxations done and to do.
    ///
    /// # Panics
    /// If `max_steps` or `rounds` is 0, or the device fails.
    pub fn run<E: VectorField, C: Cost>(
        &self,
        network: &EquilibriumNetwork<E, C>,
        input: &Tensor<2>,
        mut observe: impl FnMut(usize, usize),
    ) -> Vec<RelaxationCost> {
        assert!(self.max_steps > 0, "max_steps must be at least 1, but is 0");
        assert!(self.rounds > 0, "rounds must be at least 1, but is 0");
        let energy = &network.energy;
        let clamped = energy.clamp(input);
        let total = TotalEnergy::<E, C>::free(energy, &clamped);
        let start = network.start(input, &clamped);
        let n = self.dynamics.len();
        let mut done = 0;
        let mut tick = || {
            observe(done, n * (1 + self.rounds));
            done += 1;
        };
        let mut courses = Vec::with_capacity(n);
        for &dynamics in &self.dynamics {
            tick();
            let mut course = Course::default();
            let relaxation = Relaxation::steps(dynamics, self.max_steps).with_tolerance(AT_REST);
            relaxation.relax_observed(&total, start.clone(), |step, state| {
                if !course.is_complete() {
                    course.add(step, total.residual(state));
                }
            });
            courses.push(course);
        }
        let steps = courses.iter().map(|course| course.last(self.max_steps));
        let steps: Vec<usize> = steps.collect();
        let device: Device = input.device();
        let mut seconds = vec![Vec::with_capacity(self.rounds); n];
        for _ in 0..self.rounds {
            for (index, &dynamics) in self.dynamics.iter().enumerate() {
                tick();
                let relaxation = Relaxation::steps(dynamics, steps[index]);
                let whole = seconds_of(&device, || {
                    relaxation.relax(&total, start.clone());
                });
                seconds[index].push(whole / steps[index] as f64);
            }
        }
        let costs = (0..n).map(|index| {
            let step = Spread::of(&seconds[index]);
            RelaxationCost {
                dynamics: self.dynamics[index],
                reached: courses[index].reached(step.median),
                timed_steps: steps[index],
                step,
            }
        });
        costs.collect()
    }
}

/// The first step at which each of [`RESIDUALS`] was reached.
#[derive(Debug, Default)]
struct Course {
    half: [Option<usize>; RESIDUALS.len()],
    all: [Option<usize>; RESIDUALS.len()],
}

impl Course {
    fn add(&mut self, step: usize, residual: Tensor<1>) {
        let mut residuals: Vec<f64> = residual.into_data().iter::<f64>().collect();
        residuals.sort_by(f64::total_cmp);
        let last = residuals.len() - 1;
        for (index, wanted) in RESIDUALS.into_iter().enumerate() {
            for (found, at) in [(&mut self.half, last / 2), (&mut self.all, last)] {
                if found[index].is_none() && residuals[at] <= wanted {
                    found[index] = Some(step);
                }
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.all.iter().all(Option::is_some)
    }

    /// Returns the step at which the smallest reached residual was reached, or `otherwise`.
    fn last(&self, otherwise: usize) -> usize {
        let last = self.all.iter().flatten().max().copied();
        last.filter(|&step| step > 0).unwrap_or(otherwise)
    }

    fn reached(&self, seconds_per_step: f64) -> Vec<Reached> {
        let reached = RESIDUALS.into_iter().enumerate();
        let reached = reached.map(|(index, residual)| Reached {
            residual,
            half: self.half[index],
            all: self.all[index],
            seconds: self.all[index].map(|steps| steps as f64 * seconds_per_step),
        });
        reached.collect()
    }
}
