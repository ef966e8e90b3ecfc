//! Weight perturbation against the exact gradient.

use eqprop_core::activation::Activation;
use eqprop_core::cost::CostConfig;
use eqprop_testing::{norm, relative_error};
use eqprop_train::estimator::{GradientEstimator, WeightPerturbation};

use super::{Problem, combined, phase};

const SIZE: f64 = 1e-4;

fn problem(cost: CostConfig) -> Problem {
    Problem::dense(Activation::Tanh, Activation::Tanh, cost)
}

/// A single draw is `ĝ = d v` with `d = v·g` and `v_i = ±1`, so that `ĝ·g = d² = ĝ_i²` for each `i`.
#[test]
fn a_draw_is_the_slope_of_the_cost_along_random_signs() {
    for cost in [CostConfig::SquaredError, CostConfig::CrossEntropy] {
        let problem = problem(cost);
        let exact = problem.exact();
        let estimator = WeightPerturbation::new(SIZE, 1, phase());
        for _ in 0..3 {
            let found = problem.gradient(&estimator);
            let slope = found[0].abs();
            assert!(found.iter().all(|g| (g.abs() - slope).abs() < 1e-12));
            assert!(found.iter().any(|g| *g > 0.0) && found.iter().any(|g| *g < 0.0));
            let work: f64 = found.iter().zip(&exact).map(|(a, b)| a * b).sum();
            // ε² = 1e-8 of truncation, times third derivatives along N changes; 1e-13/ε of relaxation.
            assert!((work - slope * slope).abs() < 1e-5, "{work} for {slope}²");
            assert!(slope > 1e-4, "nothing to compare");
        }
    }
}

/// The noise of the mean of `n` draws is `√(N/n)` of the gradient.
#[test]
fn the_mean_over_many_draws_is_the_gradient() {
    let problem = problem(CostConfig::SquaredError);
    let exact = problem.exact();
    let off = |n_draws| {
        let estimator = WeightPerturbation::new(SIZE, n_draws, phase()).with_seed(1);
        relative_error(&problem.gradient(&estimator), &exact)
    };
    let expected = |n_draws: usize| (exact.len() as f64 / n_draws as f64).sqrt();
    for n_draws in [10, 1000] {
        let ratio = off(n_draws) / expected(n_draws);
        assert!((0.6..1.5).contains(&ratio), "{n_draws} draws: {ratio}");
    }
    assert!(norm(&exact) > 0.01);
}

#[test]
fn draws_depend_on_the_seed_and_the_number_of_the_estimate() {
    let problem = problem(CostConfig::SquaredError);
    let new = |seed| WeightPerturbation::new(SIZE, 2, phase()).with_seed(seed);
    let estimator = new(3);
    let course: Vec<_> = (0..4).map(|_| problem.gradient(&estimator)).collect();
    let resumed = new(3);
    GradientEstimator::<eqprop_core::energy::HopfieldEnergy, eqprop_core::cost::AnyCost>::resume(
        &resumed, 2,
    );
    assert_eq!(problem.gradient(&resumed), course[2]);
    assert_ne!(course[0], course[1]);
    assert_ne!(problem.gradient(&new(4)), course[0]);
    let both = combined(&[(1.0, &course[0]), (-1.0, &course[3])]);
    assert!(norm(&both) > 0.0);
}
