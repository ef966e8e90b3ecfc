use eqprop_train::preset::Preset;

use super::*;

mod plan;
mod verdicts;

fn comparison(methods: &[Method], n_seeds: usize) -> Result<Comparison, ComparisonError> {
    let mut config = Preset::Digits.config().with_seed(5);
    config.epochs = 2;
    Comparison::new(config, methods.to_vec(), n_seeds)
}

fn record(epoch: usize, test_error: f64, seconds: f64) -> EpochRecord {
    EpochRecord {
        epoch,
        train_error: test_error / 2.0,
        train_cost: 0.1,
        validation_error: None,
        validation_cost: None,
        test_error: Some(test_error),
        test_cost: Some(0.1),
        energy: None,
        residual: 0.0,
        unconverged: 0.0,
        free_steps: 15.0,
        seconds,
        seconds_estimating: seconds,
        seconds_optimizing: 0.0,
        update_ratios: Vec::new(),
        r_squared: None,
        exact_matches: None,
    }
}

fn run(method: Method, seed: u64, epochs: &[(f64, f64)]) -> Run {
    let records = epochs.iter().enumerate();
    Run {
        arm: method.to_string(),
        method,
        seed,
        epochs: records
            .map(|(index, &(error, seconds))| record(index + 1, error, seconds))
            .collect(),
        failure: None,
        correct: None,
    }
}

#[test]
fn summaries_are_of_finished_runs_and_pair_the_times_of_an_epoch() {
    let mut comparison = comparison(&[Method::Eqprop, Method::Backprop], 2).expect("possible");
    assert_eq!(comparison.seeds, [5, 6]);
    comparison.runs = vec![
        run(Method::Eqprop, 5, &[(0.10, 4.0), (0.04, 6.0)]),
        run(Method::Backprop, 5, &[(0.06, 2.0), (0.05, 2.0)]),
        run(Method::Eqprop, 6, &[(0.08, 3.0), (0.06, 5.0)]),
        // Interrupted: it must not count.
        run(Method::Backprop, 6, &[(0.50, 1.0)]),
    ];
    // The best errors of the finished runs are 4, 5 and 6 %.
    assert_eq!(comparison.common_error(), Some(0.06));
    let [eqprop, backprop] = &comparison.summaries()[..] else {
        panic!("one summary per method")
    };
    assert_eq!((eqprop.n_finished, backprop.n_finished), (2, 1));
    let error = eqprop.test_error.expect("finished");
    assert!((error.mean - 0.05).abs() < 1e-12);
    assert_eq!(eqprop.seconds_per_epoch, Some(4.5));
    assert_eq!(backprop.seconds_per_epoch, Some(2.0));
    // Ratios 4/2, 6/2 and, for the epoch that both have, 3/1.
    assert_eq!(eqprop.ratio_to_backprop, Some(3.0));
    // 6 % is reached after 10 and 8 seconds, by backprop at once.
    assert_eq!(eqprop.seconds_to_common_error, Some(9.0));
    assert_eq!(backprop.seconds_to_common_error, Some(2.0));
    assert_eq!(
        comparison.missing(),
        ["backprop, seed 6: stopped after 1 of 2 epochs"]
    );
}

#[test]
fn a_failed_run_is_missing_with_its_reason_and_the_others_count() {
    let mut comparison = comparison(&[Method::Eqprop, Method::Bptt], 1).expect("possible");
    let mut failed = run(Method::Bptt, 5, &[(0.9, 1.0)]);
    failed.failure = Some("out of memory".to_string());
    comparison.runs = vec![run(Method::Eqprop, 5, &[(0.2, 1.0), (0.1, 1.0)]), failed];
    assert_eq!(comparison.missing(), ["bptt, seed 5: out of memory"]);
    let [eqprop, bptt] = &comparison.summaries()[..] else {
        panic!("one summary per method")
    };
    assert_eq!(eqprop.test_error.expect("finished").mean, 0.1);
    assert_eq!(bptt.test_error, None);
    assert_eq!(eqprop.ratio_to_backprop, None);
}

#[test]
fn what_was_not_begun_is_missing() {
    let comparison = comparison(&[Method::Eqprop], 2).expect("possible");
    let expected = ["eqprop, seed 5: not begun", "eqprop, seed 6: not begun"];
    assert_eq!(comparison.missing(), expected);
    assert_eq!(comparison.common_error(), None);
}

#[test]
fn a_comparison_needs_methods_and_seeds_and_each_method_once() {
    let message = |methods: &[Method], n_seeds| {
        let refused = comparison(methods, n_seeds).expect_err("not possible");
        refused.to_string()
    };
    let twice = [Method::Eqprop, Method::Eqprop];
    assert!(message(&[], 1).contains("at least one method"));
    assert!(message(&[Method::Eqprop], 0).contains("at least one seed"));
    assert!(message(&twice, 1).contains("named twice"));
}
