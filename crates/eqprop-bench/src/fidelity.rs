//! How close the gradient of equilibrium propagation is to the exact gradient at the free equilibrium, and,
//! step by step, to backpropagation through time.
//!
//! [`FidelityConfig::examine`] takes a network, a configured estimator, and a few mini-batches. *Converged*
//! below means relaxed until the residual is at rounding level; the exact gradient `g` is that of
//! [`RecurrentBackprop`](crate::baseline::RecurrentBackprop) at that state.
//!
//! | part | question |
//! | --- | --- |
//! | [`Exactness`] | how exact is the reference gradient? |
//! | [`BetaCurve`] | with everything converged, how does the estimate depend on β? |
//! | [`StepCurves`] | at the configured β, how does it depend on the steps of the two phases? |
//! | [`Stepwise`] | does each nudged step make the update that backpropagation through time makes? |
//! | [`FreePhaseCourse`] | how far is the free phase from its equilibrium after each step? |
//! | [`Recommendation`] | how few steps, and how large a β, are enough? |
//!
//! [`check`] asks one question only, of any estimator and energy: does its gradient point along the exact
//! one? [`compare`] answers it for two gradients of any Burn module.
//!
//! [`HardwareFidelityConfig::examine`] asks what the estimates of a machine are worth whose units and weights are not
//! ideal: [`Machine`] by [`Machine`], against β.
//!
//! Over several batches, the lowest cosine and the largest error are reported.

mod agreement;
mod beta;
mod check;
mod course;
mod equilibrium;
mod error;
mod hardware;
mod precision;
mod problem;
mod recommendation;
mod steps;
mod stepwise;

use burn::config::Config;
use eqprop_core::cost::Cost;
use eqprop_core::energy::VectorField;
use eqprop_core::error::ConfigError;
use eqprop_core::relaxation::Scheme;
use eqprop_train::batch::Batch;
use eqprop_train::estimator::EquilibriumPropagation;
use eqprop_train::network::EquilibriumNetwork;
use serde::Serialize;

pub use agreement::{Agreement, Agreements, ByNudging, NudgingKind};
pub use beta::{BetaCurve, BetaPoint, FittedOrder, Kinks};
pub use check::{Check, GradientPair, check, compare};
pub use course::{FreePhaseCourse, ResidualQuantiles};
pub use error::FidelityError;
pub use hardware::{
    Draws, HardwareFidelity, HardwareFidelityConfig, HardwarePoint, Machine, Machines,
};
pub use precision::Precision;
pub use problem::Exactness;
pub use recommendation::{Candidate, Limit, Recommendation};
pub use steps::{StepCurves, StepPoint};
pub use stepwise::{Entry, EntryCourse, Stepwise, StepwiseLayer};

use problem::Problem;

/// Settings of an examination.
#[derive(Config, Debug, PartialEq)]
pub struct FidelityConfig {
    /// Nudging factors, each greater than 0, from small to large; the configured one is added,
    /// and those that the energy refuses are left out.
    #[config(default = "vec![0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]")]
    pub betas: Vec<f64>,
    /// Cosine similarity that every layer must reach in the recommendation, in (0, 1).
    #[config(default = 0.99)]
    pub bound: f64,
    /// Nudging factor of the step-by-step comparison; if `None`, as small as the number format allows.
    pub stepwise_beta: Option<f64>,
    /// Number of steps of that comparison.
    #[config(default = 40)]
    pub stepwise_steps: usize,
    /// Number format; if `None`, the most precise one of the device.
    pub precision: Option<Precision>,
}

/// The results of an examination.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fidelity {
    /// The number format of all computations.
    pub precision: Precision,
    /// The parameters, as all [`Agreements`] list them: `weights 1` is the first connection,
    /// `feedback 2` what leads back along the second, `bias 1` that of the first free layer,
    /// `readout` belongs to the cost, and to that of a hidden layer `readout of layer 1`.
    pub parameters: Vec<String>,
    /// How exact the exact gradient is.
    pub exactness: Exactness,
    /// The estimate against β.
    pub beta: BetaCurve,
    /// The estimate against the steps of both phases.
    pub steps: StepCurves,
    /// The second phase against backpropagation through time.
    pub stepwise: Stepwise,
    /// The residual of the free phase.
    pub free_phase: FreePhaseCourse,
    /// Steps and β that suffice.
    pub recommendation: Recommendation,
}

/// Progress of an examination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FidelityProgress {
    /// The quantity being measured.
    pub what: &'static str,
    /// Number of finished parts.
    pub done: usize,
    /// Number of all parts; they take about equally long.
    pub total: usize,
}

impl FidelityConfig {
    /// Checks the ranges of the settings.
    ///
    /// # Errors
    /// If a field cannot work; names the first one.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let positive = |field, beta: f64| {
            ConfigError::in_range(
                field,
                "a positive number",
                beta,
                beta.is_finite() && beta > 0.0,
            )
        };
        self.betas
            .iter()
            .try_for_each(|&beta| positive("betas", beta))?;
        self.stepwise_beta
            .map_or(Ok(()), |beta| positive("stepwise_beta", beta))?;
        let ok = self.bound > 0.0 && self.bound < 1.0;
        ConfigError::in_range("bound", "greater than 0 and less than 1", self.bound, ok)?;
        let steps = self.stepwise_steps;
        ConfigError::in_range("stepwise_steps", "at least 1", steps as f64, steps > 0)
    }

    /// Examines the gradient that `estimator` computes for `network` on `batches`. Every free phase starts at
    /// rest. `observe` is called as the examination progresses.
    ///
    /// # Errors
    /// If the configuration cannot work, or there is no exact gradient.
    pub fn examine<E: VectorField, C: Cost>(
        &self,
        network: &EquilibriumNetwork<E, C>,
        estimator: &EquilibriumPropagation<Scheme>,
        batches: &[Batch],
        observe: impl FnMut(FidelityProgress),
    ) -> Result<Fidelity, FidelityError> {
        self.validate()?;
        let precision = choose_precision(self.precision, batches)?;
        network.check_nudging(estimator.nudging)?;
        let network = &precision.network(network.clone());
        let betas = beta::grid(&self.betas, estimator, network);
        let free_grid = steps::grid(estimator.free.stopping.max_steps);
        let nudged_grid = steps::grid(estimator.nudged.stopping.max_steps);
        let per_batch = 2 + betas.len() + free_grid.len();
        let total = batches.len() * per_batch + free_grid.len() + 1;
        let clock = &mut Clock {
            done: 0,
            total,
            observe,
        };

        let mut problems = Vec::new();
        for batch in batches {
            clock.tick("the exact gradient");
            let costate = precision.stopping();
            problems.push(Problem::new(network, estimator, batch, precision, costate)?);
        }
        let exactness = problem::exactness(&problems);
        let courses: Vec<_> = problems
            .iter()
            .map(|problem| {
                clock.tick("the free phase");
                problem.follow(estimator.free.dynamics, &free_grid)
            })
            .collect();
        let beta = beta::measure(&problems, &betas, || clock.tick("the effect of β"));
        let steps = steps::measure(&problems, &courses, estimator, &nudged_grid, || {
            clock.tick("the effect of the steps");
        });
        clock.tick("each step");
        let stepwise = stepwise::measure(
            &problems[0],
            estimator.free.dynamics.synchronous(),
            self.stepwise_beta.unwrap_or(precision.stepwise_beta()),
            self.stepwise_steps,
        );
        let recommendation = recommendation::Search {
            problems: &problems,
            courses: &courses,
            estimator,
            nudged_grid: &nudged_grid,
            curve: &beta,
            bound: self.bound,
        }
        .run(|| clock.tick("how few steps are enough"));
        Ok(Fidelity {
            precision,
            parameters: problems[0].exact.names(),
            exactness,
            beta,
            steps,
            stepwise,
            free_phase: course::summarize(&courses, estimator),
            recommendation,
        })
    }
}

/// The number format that is wanted, or the best that the device of the batches has.
fn choose_precision(
    wanted: Option<Precision>,
    batches: &[Batch],
) -> Result<Precision, FidelityError> {
    let has_examples = batches.iter().all(|batch| batch.input.dims()[0] > 0);
    let first = batches.first().filter(|_| has_examples);
    let device = first.ok_or(FidelityError::NoExamples)?.input.device();
    let precision = wanted.unwrap_or(Precision::of(&device));
    match device.supports_dtype(precision.dtype()) {
        true => Ok(precision),
        false => Err(FidelityError::Precision { precision }),
    }
}

/// Counts the parts of an examination.
struct Clock<F> {
    done: usize,
    total: usize,
    observe: F,
}

impl<F: FnMut(FidelityProgress)> Clock<F> {
    /// Reports the start of the next part.
    fn tick(&mut self, what: &'static str) {
        (self.observe)(FidelityProgress {
            what,
            done: self.done,
            total: self.total,
        });
        self.done += 1;
    }
}
