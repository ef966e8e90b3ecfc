//! The estimate as a function of β, with every phase converged.

use burn::tensor::{Bool, Tensor};
use eqprop_core::activation::Activation;
use eqprop_core::cost::Cost;
use eqprop_core::energy::VectorField;
use eqprop_core::relaxation::Scheme;
use eqprop_core::state::State;
use eqprop_train::estimator::EquilibriumPropagation;
use eqprop_train::network::EquilibriumNetwork;
use serde::Serialize;

use super::agreement::{Agreements, ByNudging};
use super::equilibrium::{largest, read};
use super::problem::{Nudge, Nudged, Problem};
use crate::moments::Moments;

/// Relative errors above this are not small, and do not follow the order in β.
const SMALL: f64 = 0.3;

/// The estimate as a function of β.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BetaCurve {
    /// One point per β, from small to large.
    pub points: Vec<BetaPoint>,
    /// The order of the error in β.
    pub orders: ByNudging<FittedOrder>,
}

/// The estimate at one β.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BetaPoint {
    /// The nudging factor.
    pub beta: f64,
    /// Agreement of the estimates with the exact gradient.
    pub estimates: ByNudging<Agreements>,
    /// Units that crossed a kink of their activation; none if no activation has kinks.
    pub kinks: Option<Kinks>,
    /// Largest residual of the nudged equilibria.
    pub residual: f64,
    /// The relative error that the residuals or rounding can cause: ten times their size, relative to the
    /// distance from the free to the nudged equilibrium.
    pub rounding: f64,
}

/// Shares of the units that are clipped in one of the two states of a contrast but not in the other, or are
/// at the other end of their range there.
///
/// Between two kinks of a piecewise linear activation the equilibrium is a smooth function of β.
/// Each crossing changes its slope, which an estimate at finite β averages over.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Kinks {
    /// Share of all units, between 0 and β.
    pub one_sided: f64,
    /// Share of all units, between −β and β.
    pub centered: Option<f64>,
    /// Share of the units of each free layer, between 0 and β; 0 in a layer without kinks.
    pub layers: Vec<f64>,
}

/// The order of the error in β: the slope of its logarithm over the logarithm of β, by least squares, over
/// the points where the error is below 0.3 and above the rounding error. None with fewer than three such
/// points.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FittedOrder {
    /// For all parameters together.
    pub whole: Option<f64>,
    /// For each parameter.
    pub parameters: Vec<Option<f64>>,
}

/// Returns the given factors and the configured one, from small to large, without those that the network
/// refuses; all have the sign of the configured one.
pub(super) fn grid<E: VectorField, C: Cost>(
    betas: &[f64],
    estimator: &EquilibriumPropagation<Scheme>,
    network: &EquilibriumNetwork<E, C>,
) -> Vec<Nudge> {
    let configured = estimator.nudging.beta();
    let mut sizes = betas.to_vec();
    sizes.push(configured.abs());
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    let signed = sizes.iter().map(|size| size * configured.signum());
    signed
        .filter_map(|beta| Nudge::new(beta, network))
        .collect()
}

/// Measures the estimates at each of `nudges`.
pub(super) fn measure<E: VectorField, C: Cost>(
    problems: &[Problem<'_, E, C>],
    nudges: &[Nudge],
    mut tick: impl FnMut(),
) -> BetaCurve {
    let points = nudges.iter().map(|&nudge| {
        let mut found = Vec::new();
        for problem in problems {
            tick();
            found.push(Measured::at(problem, nudge));
        }
        Measured::summarize(found, nudge.beta)
    });
    let points: Vec<BetaPoint> = points.collect();
    let order = |pick: &dyn Fn(&BetaPoint) -> Option<Agreements>| {
        let n_parameters = points.first()?.estimates.one_sided.parameters.len();
        let slope = |error: &dyn Fn(&Agreements) -> f64| {
            let of = |point: &BetaPoint| {
                let error = error(&pick(point)?);
                let seen = error < SMALL && error > point.rounding;
                seen.then(|| (point.beta.abs().ln(), error.ln()))
            };
            slope(&points.iter().filter_map(of).collect::<Vec<_>>())
        };
        Some(FittedOrder {
            whole: slope(&|found| found.whole.relative_error),
            parameters: (0..n_parameters)
                .map(|index| slope(&|found| found.parameters[index].relative_error))
                .collect(),
        })
    };
    let of_one_sided = order(&|point| Some(point.estimates.one_sided.clone()));
    let orders = ByNudging {
        one_sided: of_one_sided.unwrap_or_default(),
        random_sign: order(&|point| point.estimates.random_sign.clone()),
        centered: order(&|point| point.estimates.centered.clone()),
    };
    BetaCurve { points, orders }
}

/// The measurements of one batch at one β.
struct Measured {
    estimates: ByNudging<Agreements>,
    kinks: Option<Kinks>,
    residual: f64,
    rounding: f64,
}

impl Measured {
    fn at<E: VectorField, C: Cost>(problem: &Problem<'_, E, C>, nudge: Nudge) -> Self {
        let (nudged, residual) = problem.nudge(&problem.free, nudge);
        let way = largest(read(nudged.first.max_distance(&problem.free)));
        // A state can converge to the last digit, but a contrast of two states still has rounding errors.
        let digits = 0.01 * problem.precision.tolerance();
        let rounding = 10.0 * residual.max(problem.free_residual).max(digits) / way;
        Self {
            estimates: problem.agreements(&problem.free, &nudged, nudge.beta),
            kinks: kinks(problem, &nudged),
            residual,
            rounding,
        }
    }

    fn summarize(batches: Vec<Self>, beta: f64) -> BetaPoint {
        let over_all = |part: fn(&Self) -> f64| largest(batches.iter().map(part));
        let (residual, rounding) = (over_all(|m| m.residual), over_all(|m| m.rounding));
        let kinks: Option<Vec<Kinks>> = batches.iter().map(|m| m.kinks.clone()).collect();
        let estimates: Vec<_> = batches.into_iter().map(|m| m.estimates).collect();
        BetaPoint {
            beta,
            estimates: ByNudging::worst(&estimates),
            kinks: kinks.and_then(|found| Kinks::mean(&found)),
            residual,
            rounding,
        }
    }
}

impl Kinks {
    /// Returns the mean over batches of equal size.
    fn mean(batches: &[Self]) -> Option<Self> {
        let first = batches.first()?;
        let mean = |part: &dyn Fn(&Self) -> f64| {
            batches.iter().map(part).sum::<f64>() / batches.len() as f64
        };
        Some(Self {
            one_sided: mean(&|kinks| kinks.one_sided),
            centered: first
                .centered
                .map(|_| mean(&|kinks| kinks.centered.unwrap_or(0.0))),
            layers: (0..first.layers.len())
                .map(|layer| mean(&|kinks| kinks.layers[layer]))
                .collect(),
        })
    }
}

fn kinks<E: VectorField, C: Cost>(problem: &Problem<'_, E, C>, nudged: &Nudged) -> Option<Kinks> {
    let layers = problem.network.energy.layers();
    layers.iter().find(|layer| layer.activation.has_kinks())?;
    let sizes: Vec<f64> = layers.iter().map(|layer| layer.n_units() as f64).collect();
    let crossed = |a: &State, b: &State| -> Vec<f64> {
        let pairs = a.layers().iter().zip(b.layers()).zip(layers);
        let share = pairs.map(|((a, b), layer)| crossed(a, b, layer.activation));
        share.collect()
    };
    let total = |shares: &[f64]| {
        let units = shares.iter().zip(&sizes).map(|(share, size)| share * size);
        units.sum::<f64>() / sizes.iter().sum::<f64>()
    };
    let one_sided = crossed(&problem.free, &nudged.first);
    let centered = nudged
        .second
        .as_ref()
        .map(|second| crossed(&nudged.first, second));
    Some(Kinks {
        one_sided: total(&one_sided),
        centered: centered.map(|shares| total(&shares)),
        layers: one_sided,
    })
}

/// Returns the share of the units that are at an end of their range in one state and not in the other.
fn crossed(a: &Tensor<2>, b: &Tensor<2>, activation: Activation) -> f64 {
    if !activation.has_kinks() {
        return 0.0;
    }
    let share = |differ: Tensor<2, Bool>| differ.float().mean().into_scalar::<f64>();
    // Every range with a lower end has it at 0.
    let low = |state: &Tensor<2>| state.clone().equal_elem(0.0);
    let high = |state: &Tensor<2>| state.clone().greater_equal_elem(activation.max());
    // A move from one end to the other is one crossing, not two.
    share(low(a).not_equal(low(b)).bool_or(high(a).not_equal(high(b))))
}

/// Returns the least-squares slope of `y` over `x`.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let Moments { xx, xy, .. } = Moments::of(points);
    (points.len() >= 3).then(|| xy / xx)
}
