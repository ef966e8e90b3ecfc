//! Several symmetric pairs of nudging factors.

use eqprop_core::activation::Activation;
use eqprop_core::cost::CostConfig;
use eqprop_core::nudging::Nudging;
use eqprop_testing::{distance, relative_error};
use eqprop_train::estimator::EquilibriumPropagation;

use super::{Problem, combined, phase};

fn estimator(nudging: Nudging) -> EquilibriumPropagation {
    EquilibriumPropagation::new(nudging, phase(), phase())
}

const BETA: f64 = 0.3;

/// Richardson: the error `β²` of two centered estimates cancels.
#[test]
fn two_pairs_are_the_extrapolation_of_two_centered_estimates() {
    let problem = Problem::dense(Activation::Tanh, Activation::Tanh, CostConfig::SquaredError);
    let centered = |beta| problem.gradient(&estimator(Nudging::Centered { beta }));
    let (half, full) = (centered(BETA / 2.0), centered(BETA));
    let expected = combined(&[(4.0 / 3.0, &half), (-1.0 / 3.0, &full)]);
    let pairs = Nudging::HigherOrder {
        beta: BETA,
        n_pairs: 2,
    };
    let found = problem.gradient(&estimator(pairs));
    // States relaxed to 1e-14, divided by 0.15.
    assert!(distance(&found, &expected) < 1e-12);
    // The terms differ by more than that.
    assert!(distance(&half, &full) > 1e-3);

    let exact = problem.exact();
    let (two_pairs, one_pair) = (
        relative_error(&found, &exact),
        relative_error(&full, &exact),
    );
    assert!(one_pair > 5.0 * two_pairs, "{one_pair:e}, {two_pairs:e}");
    let flipped = combined(&[(-1.0, &found)]);
    assert!(relative_error(&flipped, &exact) > 1.9);
}

#[test]
fn one_pair_is_centered() {
    for cost in [CostConfig::SquaredError, CostConfig::CrossEntropy] {
        let problem = Problem::dense(Activation::Sigmoid, Activation::Sigmoid, cost);
        let pairs = Nudging::HigherOrder {
            beta: BETA,
            n_pairs: 1,
        };
        let found = problem.gradient(&estimator(pairs));
        let centered = problem.gradient(&estimator(Nudging::Centered { beta: BETA }));
        assert_eq!(found, centered);
    }
}
