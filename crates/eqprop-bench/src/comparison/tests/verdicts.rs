//! Verdicts on simulated trainings, for which the true difference is known.

use eqprop_train::data::{DataFiles, DataFormat, Findings, Scaling};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

/// Simulated comparisons.
const REPEATS: usize = 200;

/// A number of the standard normal distribution.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (2.0 * std::f64::consts::PI * v).cos()
}

/// Simulates which examples one arm gets right with one seed. One example in 16 is hard: one that a network
/// gets wrong is usually wrong for others too. `quality` multiplies the odds of an error: at 1 the error is
/// 3.3 % and varies by 0.4 % over the seeds, as for small networks on 1000 digits.
fn correct(hardness: &[f64], quality: f64, rng: &mut ChaCha8Rng) -> Vec<bool> {
    let is_correct = |&hardness: &f64| {
        let odds = quality * hardness / (1.0 - hardness);
        rng.random::<f64>() > odds / (1.0 + odds)
    };
    hardness.iter().map(is_correct).collect()
}

/// Simulates a comparison of arms of these qualities, with independent luck for each training.
fn simulated(qualities: &[f64], n_seeds: usize, n_examples: usize, repeat: usize) -> Comparison {
    let mut rng = ChaCha8Rng::seed_from_u64(repeat as u64);
    let mut plan = Plan::new(Preset::Digits.config(), vec![Method::Eqprop]);
    plan.config.epochs = 1;
    let values = (0..qualities.len()).map(|arm| format!("0.1{arm}"));
    plan.vary = vec![Variation {
        key: "beta".to_string(),
        values: values.collect(),
    }];
    let mut comparison = Comparison::of(plan, n_seeds).expect("possible");
    let hardness: Vec<f64> = (0..n_examples)
        .map(|_| {
            if rng.random::<f64>() < 1.0 / 16.0 {
                rng.random()
            } else {
                0.002
            }
        })
        .collect();
    for seed in comparison.seeds.clone() {
        // Variation that both arms share through the seed, such as the initial weights.
        let shared = (0.2 * normal(&mut rng)).exp();
        for (arm, quality) in comparison.arms().to_vec().iter().zip(qualities) {
            let own = (0.2 * normal(&mut rng)).exp();
            let correct = correct(&hardness, quality * shared * own, &mut rng);
            let place = comparison.place_of(arm, seed);
            let n_wrong = correct.iter().filter(|correct| !**correct).count();
            let run = &mut comparison.runs[place];
            run.epochs = vec![record(1, n_wrong as f64 / n_examples as f64, 1.0)];
            run.correct = Correctness::of(&correct);
        }
    }
    comparison
}

/// Counts the repeats in which some verdict names a better arm, and those in which it is the first of the
/// pair.
fn claims(qualities: &[f64], n_seeds: usize, n_examples: usize) -> [usize; 2] {
    let mut found = [0; 2];
    for repeat in 0..REPEATS {
        let differences = simulated(qualities, n_seeds, n_examples, repeat).differences();
        let mut better = differences.iter().filter_map(Difference::better);
        if let Some([better, _]) = better.next() {
            found[0] += 1;
            found[1] += usize::from(better == differences[0].first);
        }
    }
    found
}

#[test]
fn of_two_equal_arms_hardly_ever_one_is_called_better() {
    for (n_seeds, n_examples) in [(3, 360), (5, 360), (5, 1000), (10, 1000)] {
        let [n_false, _] = claims(&[1.0, 1.0], n_seeds, n_examples);
        assert!(
            20 * n_false <= REPEATS,
            "{n_seeds} seeds, {n_examples} examples: {n_false} of {REPEATS}"
        );
    }
}

#[test]
fn of_six_equal_arms_hardly_ever_any_is_called_better() {
    let [n_false, _] = claims(&[1.0; 6], 5, 1000);
    assert!(20 * n_false <= REPEATS, "{n_false} of {REPEATS}");
}

#[test]
fn intervals_hold_no_difference_where_there_is_none() {
    let holds = |repeat| {
        let found = simulated(&[1.0, 1.0], 5, 1000, repeat)
            .differences()
            .remove(0);
        let error = found.error.expect("five seeds");
        error.low <= 0.0 && error.high >= 0.0
    };
    let n_holding = (0..REPEATS).filter(|&repeat| holds(repeat)).count();
    // 190 are expected, with a deviation of 3; an interval that always holds would be useless.
    assert!((181..200).contains(&n_holding), "{n_holding} of {REPEATS}");
}

#[test]
fn the_labels_of_an_example_are_one_coin() {
    let found = Findings {
        format: DataFormat::Csv,
        shape: [1, 1, 2],
        classes: Vec::new(),
        quantities: None,
        labels: ["a", "b"].map(String::from).to_vec(),
        columns: Vec::new(),
        scaling: Scaling::None,
        mean: vec![0.0],
        deviation: vec![1.0],
        n_train: 50,
        n_test: 10,
    };
    let files = DataFiles {
        found: Some(found),
        ..DataFiles::new("scenes.csv")
    };
    let mut config = Preset::Digits.config_for(files);
    config.epochs = 1;
    let methods = vec![Method::Eqprop, Method::Backprop];
    let mut comparison = Comparison::new(config, methods, 3).expect("possible");
    // The second gets both labels of three of ten examples wrong, with every seed.
    let arms = comparison.arms().to_vec();
    let seeds = comparison.seeds.clone();
    for (arm, seed) in arms
        .iter()
        .flat_map(|arm| seeds.iter().map(move |seed| (arm, *seed)))
    {
        let is_wrong = |bit: usize| arm.method == Method::Backprop && bit / 2 < 3;
        let correct: Vec<bool> = (0..20).map(|bit| !is_wrong(bit)).collect();
        let n_wrong = correct.iter().filter(|is_right| !**is_right).count();
        let place = comparison.place_of(arm, seed);
        let run = &mut comparison.runs[place];
        run.epochs = vec![record(1, n_wrong as f64 / 20.0, 1.0)];
        run.correct = Correctness::of(&correct);
    }
    let difference = comparison.differences().remove(0);
    let examples = difference.examples.expect("both are known");
    assert_eq!((examples.only_first, examples.only_second), (3 * 6, 0));
    // Three coins that fall alike.
    assert!((examples.p - 0.25).abs() < 1e-12, "{examples:?}");
    assert_eq!(difference.verdict, Verdict::TooFewExamples);
}

#[test]
fn a_real_difference_is_found_and_never_turned_around() {
    // 3.3 and 4.9 % are 1.6 points apart.
    let [found, right] = claims(&[1.0, 2.5], 5, 1000);
    assert!(10 * found >= 8 * REPEATS, "{found} of {REPEATS}");
    assert_eq!(right, found);
}

/// Simulates one comparison in which each arm errs on the given number of examples of a hundred, always the
/// first ones.
fn of_errors(errors: &[[usize; 2]]) -> Difference {
    let mut comparison = simulated(&[1.0, 1.0], errors.len(), 100, 0);
    let seeds = comparison.seeds.clone();
    for (seed, errors) in seeds.into_iter().zip(errors) {
        for (arm, &n_wrong) in comparison.arms().to_vec().iter().zip(errors) {
            let place = comparison.place_of(arm, seed);
            let correct: Vec<bool> = (0..100).map(|example| example >= n_wrong).collect();
            comparison.runs[place].epochs = vec![record(1, n_wrong as f64 / 100.0, 1.0)];
            comparison.runs[place].correct = Correctness::of(&correct);
        }
    }
    comparison.differences().remove(0)
}

#[test]
fn a_verdict_says_no_more_than_seeds_and_examples_carry() {
    let found = of_errors(&[[10, 30], [11, 29], [12, 31]]);
    assert_eq!(found.verdict, Verdict::FirstIsBetter);
    assert_eq!(found.words(), "beta=0.10 makes fewer errors than beta=0.11");
    let found = of_errors(&[[30, 10], [29, 11], [31, 12]]);
    assert_eq!(found.better(), Some(["beta=0.11", "beta=0.10"]));
    // Two seeds, however far apart.
    let found = of_errors(&[[10, 30], [11, 29]]);
    assert_eq!(
        (found.verdict, found.words()),
        (
            Verdict::TooFewSeeds,
            "2 seeds carry no verdict: at least 3".to_string()
        )
    );
    let found = of_errors(&[[10, 30], [30, 10], [10, 31]]);
    assert_eq!(found.verdict, Verdict::SeedsDisagree);
    assert!(found.words().starts_with("3 seeds do not tell them apart"));
    // All of the seeds agree, but on three examples.
    let found = of_errors(&[[10, 13], [11, 14], [10, 13], [12, 15], [10, 13]]);
    assert_eq!(found.verdict, Verdict::TooFewExamples);
    let found = of_errors(&[[10, 10], [11, 11], [12, 12]]);
    assert_eq!(found.verdict, Verdict::Same);
}

#[test]
fn seeds_that_only_one_of_two_arms_has_finished_do_not_count() {
    let mut comparison = simulated(&[1.0, 1.0], 4, 100, 1);
    comparison.runs[1].failure = Some("diverged".to_string());
    comparison.runs[1].epochs.clear();
    let found = comparison.differences().remove(0);
    assert_eq!(found.seeds, [1, 2, 3]);
    // Comparisons of older versions do not know which examples were right.
    comparison.runs[2].correct = None;
    let found = comparison.differences().remove(0);
    assert_eq!(
        (found.examples, found.error.expect("three seeds").n),
        (None, 3)
    );
}
