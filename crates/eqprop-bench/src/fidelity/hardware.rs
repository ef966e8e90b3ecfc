//! Fidelity of the gradient estimates of non-ideal machines.

use burn::config::Config;
use burn::optim::GradientsParams;
use eqprop_core::cost::Cost;
use eqprop_core::energy::VectorField;
use eqprop_core::error::ConfigError;
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::Scheme;
use eqprop_train::batch::Batch;
use eqprop_train::config::HardwareConfig;
use eqprop_train::estimator::{
    EquilibriumPropagation, GradientEstimator, NonIdealEquilibriumPropagation,
};
use eqprop_train::hardware::Hardware;
use eqprop_train::network::EquilibriumNetwork;
use serde::Serialize;

use super::agreement::{Agreements, LayerGradients, NudgingKind, dot, ordered};
use super::beta;
use super::error::FidelityError;
use super::precision::Precision;
use super::problem::{self, Exactness, Nudge, Problem};
use super::{Clock, FidelityProgress, choose_precision};

/// The examination: machines, nudging factors and draws.
#[derive(Config, Debug, PartialEq)]
pub struct HardwareFidelityConfig {
    /// Nudging factors, each greater than 0; the configured one is added, and those that the energy refuses are left out.
    #[config(default = "vec![0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]")]
    pub betas: Vec<f64>,
    /// Estimates of each batch by a machine in which there is chance, at least 2.
    #[config(default = 10)]
    pub n_draws: usize,
    /// Number format; without one, the best that the device has.
    pub precision: Option<Precision>,
}

/// The machines to examine.
#[derive(Debug)]
pub struct Machines<'a, E: VectorField, C: Cost> {
    /// Defects of each machine.
    pub settings: &'a [HardwareConfig],
    /// The network as its training begins: its weights are the unit of their range.
    pub initial: &'a EquilibriumNetwork<E, C>,
    /// Seed of noise and rounding.
    pub seed: u64,
}

/// Result of an examination of machines.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HardwareFidelity {
    /// The number format that everything was computed in.
    pub precision: Precision,
    /// The parameters, as all [`Agreements`] list them.
    pub parameters: Vec<String>,
    /// How exact the exact gradient is.
    pub exactness: Exactness,
    /// The ideal machine first, then the others as they were given.
    pub machines: Vec<Machine>,
}

/// Fidelity of one machine's estimates.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Machine {
    /// Its defects. Those that act on updates only have no part in an estimate.
    pub hardware: HardwareConfig,
    /// Estimates of each batch; 1 where there is no chance.
    pub n_draws: usize,
    /// One point for each β, from small to large.
    pub points: Vec<HardwarePoint>,
}

/// The estimates at one β.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HardwarePoint {
    /// The nudging factor.
    pub beta: f64,
    /// From the free state to β.
    pub one_sided: Draws,
    /// Between −β and β; none where the energy refuses −β.
    pub centered: Option<Draws>,
}

/// How `n` estimates `ĝ` of one machine agree with the exact gradient `g` of the ideal one, each with noise and rounding of
/// its own, in all parameters together:
///
/// ```text
/// ḡ = 1/n Σ ĝ,   S = 1/(n−1) Σ ‖ĝ − ḡ‖²
/// bias  = √(‖ḡ − g‖² − S/n) / ‖g‖     noise = √S / ‖g‖
/// ```
///
/// The bias is what no number of draws averages out: `S/n`, which this number has left, is taken off, and 0 is said where
/// nothing remains.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Draws {
    /// Cosine similarity of a single estimate, in the mean.
    pub cosine: f64,
    /// Its standard deviation from estimate to estimate.
    pub deviation: f64,
    /// How the mean estimate agrees.
    pub mean: Agreements,
    /// Relative bias of the estimate.
    pub bias: f64,
    /// Relative noise of the estimate.
    pub noise: f64,
}

impl HardwarePoint {
    /// The estimates by `kind`; none by random signs, whose chance is not that of a machine.
    pub fn get(&self, kind: NudgingKind) -> Option<&Draws> {
        match kind {
            NudgingKind::OneSided => Some(&self.one_sided),
            NudgingKind::RandomSign => None,
            NudgingKind::Centered => self.centered.as_ref(),
        }
    }
}

impl Machine {
    /// The β at which single estimates by `kind` agree best, with what they are worth there; none if none of them is
    /// finite.
    pub fn best(&self, kind: NudgingKind) -> Option<(f64, &Draws)> {
        let found = self.points.iter();
        let found = found.filter_map(|point| Some((point.beta, point.get(kind)?)));
        let finite = found.filter(|(_, draws)| draws.cosine.is_finite());
        finite.max_by(|(_, a), (_, b)| a.cosine.total_cmp(&b.cosine))
    }
}

impl HardwareFidelityConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the first field that cannot work.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for &beta in &self.betas {
            let ok = beta.is_finite() && beta > 0.0;
            ConfigError::in_range("betas", "positive numbers", beta, ok)?;
        }
        let n = self.n_draws;
        ConfigError::in_range("n_draws", "at least 2", n as f64, n >= 2)
    }

    /// Examines the gradients that `machines` find for `network` on `batches`, with the phases of `estimator`, against the
    /// exact gradient of the ideal machine. Every free phase starts from rest. `observe` is called as it goes on.
    ///
    /// Weights of few bits, or of a range, are brought there before each estimate, by the rounding of
    /// [`HardwareConfig`]; what acts on updates only is left out.
    ///
    /// # Errors
    /// If the configuration or a machine cannot work, or there is no exact gradient.
    pub fn examine<E: VectorField, C: Cost>(
        &self,
        network: &EquilibriumNetwork<E, C>,
        estimator: &EquilibriumPropagation<Scheme>,
        machines: &Machines<'_, E, C>,
        batches: &[Batch],
        observe: impl FnMut(FidelityProgress),
    ) -> Result<HardwareFidelity, FidelityError> {
        self.validate()?;
        machines.validate()?;
        network.check_nudging(estimator.nudging)?;
        let precision = choose_precision(self.precision, batches)?;
        let network = &precision.network(network.clone());
        let nudges = beta::grid(&self.betas, estimator, network);
        let settings = std::iter::once(HardwareConfig::new());
        let settings: Vec<_> = settings.chain(machines.settings.iter().copied()).collect();
        let per_batch = 1 + settings.len() * nudges.len();
        let clock = &mut Clock {
            done: 0,
            total: batches.len() * per_batch,
            observe,
        };

        let mut problems = Vec::new();
        for batch in batches {
            clock.tick("the exact gradient");
            let costate = precision.stopping();
            problems.push(Problem::new(network, estimator, batch, precision, costate)?);
        }
        let found = settings.into_iter().map(|hardware| {
            let subject = Subject::new(hardware, machines, estimator, self.n_draws);
            let points = nudges
                .iter()
                .map(|&nudge| subject.point(&problems, nudge, || clock.tick("each machine")));
            Machine {
                points: points.collect(),
                hardware,
                n_draws: subject.n_draws,
            }
        });
        Ok(HardwareFidelity {
            machines: found.collect(),
            precision,
            parameters: problems[0].exact.names(),
            exactness: problem::exactness(&problems),
        })
    }
}

impl<E: VectorField, C: Cost> Machines<'_, E, C> {
    /// Checks that each can be built.
    fn validate(&self) -> Result<(), ConfigError> {
        for hardware in self.settings {
            hardware.validate()?;
            let Some(defects) = hardware.state_defects() else {
                continue;
            };
            for (layer, free) in self.initial.energy.layers().iter().enumerate() {
                free.activation.check_levels(defects.levels, layer + 1)?;
            }
        }
        Ok(())
    }
}

/// A machine with what it needs to be measured.
struct Subject<'a> {
    hardware: HardwareConfig,
    estimator: &'a EquilibriumPropagation<Scheme>,
    seed: u64,
    /// Rounds weights to their levels and clips them to their range.
    weights: Option<Hardware>,
    n_draws: usize,
}

impl<'a> Subject<'a> {
    fn new<E: VectorField, C: Cost>(
        hardware: HardwareConfig,
        machines: &Machines<'_, E, C>,
        estimator: &'a EquilibriumPropagation<Scheme>,
        n_draws: usize,
    ) -> Self {
        let held = HardwareConfig::new()
            .with_weight_bits(hardware.weight_bits)
            .with_weight_range(hardware.weight_range);
        let has_chance = hardware.weight_bits.is_some() || hardware.state_noise > 0.0;
        Self {
            hardware,
            estimator,
            seed: machines.seed,
            weights: Hardware::new(held, machines.seed, machines.initial),
            n_draws: if has_chance { n_draws } else { 1 },
        }
    }

    /// The estimates at one β.
    fn point<E: VectorField, C: Cost>(
        &self,
        problems: &[Problem<'_, E, C>],
        nudge: Nudge,
        mut tick: impl FnMut(),
    ) -> HardwarePoint {
        let (mut one_sided, mut centered) = (Vec::new(), Vec::new());
        for (place, problem) in problems.iter().enumerate() {
            tick();
            let beta = nudge.beta;
            one_sided.push(self.draws(problem, Nudging::OneSided { beta }, place));
            if nudge.both {
                let beta = beta.abs();
                centered.push(self.draws(problem, Nudging::Centered { beta }, place));
            }
        }
        HardwarePoint {
            beta: nudge.beta,
            one_sided: Draws::worst(one_sided).expect("there is at least one batch"),
            centered: Draws::worst(centered),
        }
    }

    /// The estimates of the batch at `place` among all.
    fn draws<E: VectorField, C: Cost>(
        &self,
        problem: &Problem<'_, E, C>,
        nudging: Nudging,
        place: usize,
    ) -> Draws {
        // The same noise at every β and by both ways to nudge, and another for each batch.
        let before = (place * self.n_draws) as u64;
        if let Some(weights) = &self.weights {
            weights.resume(before);
        }
        let mut inner = self.estimator.clone();
        inner.nudging = nudging;
        match self.hardware.state_defects() {
            None => self.draw(problem, &inner, before),
            Some(defects) => {
                let estimator = NonIdealEquilibriumPropagation::new(inner, defects, self.seed);
                self.draw(problem, &estimator, before)
            }
        }
    }

    fn draw<E: VectorField, C: Cost>(
        &self,
        problem: &Problem<'_, E, C>,
        estimator: &impl GradientEstimator<E, C>,
        before: u64,
    ) -> Draws {
        estimator.resume(before);
        let mut tally = Tally::default();
        for _ in 0..self.n_draws {
            let network = self.built(problem.network);
            let estimate = estimator.estimate(&network, &problem.batch, None);
            tally.add(problem, &estimate.gradients);
        }
        tally.finish(problem)
    }

    /// `network` with the weights that the machine can have.
    fn built<E: VectorField, C: Cost>(
        &self,
        network: &EquilibriumNetwork<E, C>,
    ) -> EquilibriumNetwork<E, C> {
        let network = network.clone();
        let Some(weights) = &self.weights else {
            return network;
        };
        let mut landed = weights.update(network, |network| network);
        landed.energy = landed.energy.project();
        landed
    }
}

/// Estimates, one after the other.
#[derive(Default)]
struct Tally {
    cosines: Vec<f64>,
    first: Option<LayerGradients>,
    /// Sums of what each is apart from the first, which loses no digits where they are alike.
    apart: Option<LayerGradients>,
    squares: f64,
}

impl Tally {
    fn add<E: VectorField, C: Cost>(
        &mut self,
        problem: &Problem<'_, E, C>,
        estimate: &GradientsParams,
    ) {
        let estimate = LayerGradients::of(problem.network, estimate);
        let agreement = Agreements::between(&estimate, &problem.exact);
        self.cosines.push(agreement.whole.cosine);
        let Some(first) = &self.first else {
            self.first = Some(estimate);
            return;
        };
        let apart = estimate.minus(first);
        self.squares += apart.square();
        self.apart = Some(match self.apart.take() {
            None => apart,
            Some(sum) => sum.plus(&apart, 1.0),
        });
    }

    fn finish<E: VectorField, C: Cost>(self, problem: &Problem<'_, E, C>) -> Draws {
        let n = self.cosines.len() as f64;
        let first = self.first.expect("there is at least one draw");
        let (mean, spread) = match self.apart {
            None => (first, 0.0),
            Some(sum) => {
                let spread = (self.squares - sum.square() / n) / (n - 1.0);
                (first.plus(&sum, 1.0 / n), at_least_0(spread))
            }
        };
        let size = problem.exact.square();
        let bias = mean.minus(&problem.exact).square() - spread / n;
        let cosine = self.cosines.iter().sum::<f64>() / n;
        let squares = self.cosines.iter().map(|found| (found - cosine).powi(2));
        Draws {
            deviation: (squares.sum::<f64>() / (n - 1.0).max(1.0)).sqrt(),
            cosine,
            mean: Agreements::between(&mean, &problem.exact),
            bias: (at_least_0(bias) / size).sqrt(),
            noise: (spread / size).sqrt(),
        }
    }
}

/// Unlike `f64::max`, this keeps what is not a number.
fn at_least_0(value: f64) -> f64 {
    if value < 0.0 { 0.0 } else { value }
}

impl Draws {
    /// The lowest cosines and the largest errors of batches; none of none.
    fn worst(batches: Vec<Self>) -> Option<Self> {
        batches.into_iter().reduce(|a, b| {
            let means = [a.mean, b.mean];
            Self {
                cosine: ordered(a.cosine, b.cosine)[0],
                deviation: ordered(a.deviation, b.deviation)[1],
                mean: Agreements::worst(&means).expect("there are two"),
                bias: ordered(a.bias, b.bias)[1],
                noise: ordered(a.noise, b.noise)[1],
            }
        })
    }
}

impl LayerGradients {
    /// Itself and `factor` times the other.
    fn plus(&self, other: &Self, factor: f64) -> Self {
        let pairs = self.0.iter().zip(&other.0);
        let sums = pairs.map(|((name, a), (_, b))| (name.clone(), a.clone() + b.clone() * factor));
        Self(sums.collect())
    }

    /// Itself without the other.
    fn minus(&self, other: &Self) -> Self {
        self.plus(other, -1.0)
    }

    /// Its squared length.
    fn square(&self) -> f64 {
        self.0.iter().map(|(_, values)| dot(values, values)).sum()
    }
}
