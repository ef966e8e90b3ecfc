//! Known values, and simulations of the properties that the tests promise.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::student::{quantile, within};
use super::{ExampleTest, PairedDifference, holm};

/// Draws from the standard normal distribution, by the Box–Muller method.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (2.0 * std::f64::consts::PI * v).cos()
}

#[test]
fn the_quantiles_of_students_distribution_are_those_of_the_tables() {
    for (n, expected) in [
        (1, 12.7062),
        (2, 4.3027),
        (3, 3.1824),
        (4, 2.7764),
        (9, 2.2622),
        (10, 2.2281),
        (30, 2.0423),
        (1000, 1.9623),
    ] {
        let found = quantile(0.95, n);
        assert!((found - expected).abs() < 1e-4, "{n}: {found}");
        assert!((within(found, n) - 0.95).abs() < 1e-12, "{n}");
    }
    assert!((quantile(0.99, 4) - 4.6041).abs() < 1e-4);
    assert_eq!(within(0.0, 7), 0.0);
}

#[test]
fn the_interval_is_that_of_the_textbook() {
    // Mean 2, deviation √2.5, of five; t is 2.7764.
    let found = PairedDifference::of(&[0.0, 1.0, 2.0, 3.0, 4.0], 0.0, 0.95).expect("five");
    let half = 2.776_445 * 2.5f64.sqrt() / 5f64.sqrt();
    assert_eq!((found.n, found.mean), (5, 2.0));
    assert!((found.high - (2.0 + half)).abs() < 1e-5, "{found:?}");
    assert!((found.low - (2.0 - half)).abs() < 1e-5, "{found:?}");
    // t = 2.8284 of 4 degrees of freedom.
    assert!((found.p - 0.047_42).abs() < 1e-4, "{found:?}");
    assert_eq!(PairedDifference::of(&[1.0], 0.0, 0.95), None);
}

#[test]
fn differences_that_are_equal_by_chance_have_a_spread_all_the_same() {
    let step = 1.0 / 360.0;
    let found = PairedDifference::of(&[step; 3], step, 0.95).expect("three");
    assert_eq!(found.deviation, 0.0);
    assert!(found.low < 0.0 && found.p > 0.05, "{found:?}");
    let none = PairedDifference::of(&[0.0; 3], step, 0.95).expect("three");
    assert_eq!(none.p, 1.0);
}

#[test]
fn more_pairs_would_show_a_difference_that_so_few_do_not() {
    let found = PairedDifference::of(&[0.2, 1.4, -0.3], 0.0, 0.95).expect("three");
    let needed = found.n_needed(0.95, 1000).expect("it is not 0");
    let half = |n: usize| quantile(0.95, n - 1) * found.deviation / (n as f64).sqrt();
    assert!(half(needed) < found.mean && half(needed - 1) >= found.mean);
    assert_eq!(found.n_needed(0.95, needed - 1), None);
}

#[test]
fn one_pair_is_mcnemars_exact_test() {
    // 9 examples one way and 2 the other: 2 · (1 + 11 + 55)/2^11.
    let pair = |example: usize| match example {
        0..9 => [true, false],
        9..11 => [false, true],
        11..50 => [true, true],
        _ => [false, false],
    };
    let found = ExampleTest::of(100, &[pair]);
    assert_eq!((found.only_first, found.only_second), (9, 2));
    let expected = 2.0 * (1.0 + 11.0 + 55.0) / 2048.0;
    assert!((found.p - expected).abs() < 1e-12, "{found:?}");
    let swapped = ExampleTest::of(
        100,
        &[|example| {
            let [a, b] = pair(example);
            [b, a]
        }],
    );
    assert_eq!(swapped.p, found.p);
    // An example seen by many pairs is one coin, not many.
    let many = ExampleTest::of(100, &[pair; 10]);
    assert_eq!((many.only_first, many.only_second), (90, 20));
    assert!((many.p - expected).abs() < 1e-12, "{many:?}");
    assert_eq!(ExampleTest::of(100, &[|_| [true, true]]).p, 1.0);
}

#[test]
fn the_exact_test_passes_into_the_normal_one() {
    let pair = |n_first: usize| {
        move |example: usize| match example {
            example if example < n_first => [true, false],
            _ => [false, true],
        }
    };
    // 4,400 coins have an exact answer, 4,600 do not.
    let [exact, normal] = [4400, 4600].map(|n: usize| {
        let ahead = (2.5 * (n as f64).sqrt()) as usize;
        ExampleTest::of(n, &[pair((n + ahead) / 2)]).p
    });
    assert!((exact / normal - 1.0).abs() < 0.1, "{exact}, {normal}");
}

#[test]
fn probabilities_of_several_tests_grow_with_their_number() {
    assert_eq!(holm(&[0.01, 0.04, 0.03]), [0.03, 0.06, 0.06]);
    assert_eq!(holm(&[0.2]), [0.2]);
    assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
    assert_eq!(holm(&[]), Vec::<f64>::new());
}

/// Returns the 95 % interval of a mean by the bias-corrected and accelerated bootstrap (Efron 1987).
fn bootstrap(values: &[f64], rng: &mut ChaCha8Rng) -> [f64; 2] {
    const DRAWS: usize = 400;
    let n = values.len();
    let mean = values.iter().sum::<f64>() / n as f64;
    let mut means: Vec<f64> = (0..DRAWS)
        .map(|_| (0..n).map(|_| values[rng.random_range(0..n)]).sum::<f64>() / n as f64)
        .collect();
    means.sort_by(f64::total_cmp);
    let below = means.iter().filter(|&&drawn| drawn < mean).count() as f64;
    let equal = means.iter().filter(|&&drawn| drawn == mean).count() as f64;
    let share =
        ((below + 0.5 * equal) / DRAWS as f64).clamp(0.5 / DRAWS as f64, 1.0 - 0.5 / DRAWS as f64);
    let bias = inverse_normal(share);
    let deviations = || values.iter().map(|value| mean - value);
    let squares: f64 = deviations().map(|d| d.powi(2)).sum();
    let cubes: f64 = deviations().map(|d| -d.powi(3)).sum();
    let acceleration = if squares > 0.0 {
        cubes / (6.0 * squares.powf(1.5))
    } else {
        0.0
    };
    [0.025, 0.975].map(|share| {
        let z = bias + inverse_normal(share);
        let place = normal_below(bias + z / (1.0 - acceleration * z));
        means[((place * DRAWS as f64) as usize).min(DRAWS - 1)]
    })
}

/// Degrees of freedom of a nearly normal distribution: more would only take longer.
const NEARLY: usize = 200;

fn normal_below(z: f64) -> f64 {
    0.5 * (1.0 + within(z, NEARLY) * z.signum())
}

fn inverse_normal(share: f64) -> f64 {
    let z = quantile((2.0 * share - 1.0).abs(), NEARLY);
    z * (share - 0.5).signum()
}

/// A distribution of the difference between two seeds: its name, its mean and a sampler.
type Kind = (&'static str, f64, fn(&mut ChaCha8Rng) -> f64);

const KINDS: [Kind; 3] = [
    ("normal", 0.0, normal),
    ("heavy tails", 0.0, |rng| {
        let wide = if rng.random::<f64>() < 0.05 { 5.0 } else { 1.0 };
        wide * normal(rng)
    }),
    ("log-normal errors", 0.0, |rng| {
        (0.7 * normal(rng)).exp() - (0.7 * normal(rng)).exp()
    }),
];

#[test]
fn students_interval_covers_where_a_bootstrap_does_not() {
    const REPEATS: usize = 1500;
    for (kind, mean, draw) in KINDS {
        for n in [3, 5, 10] {
            let mut rng = ChaCha8Rng::seed_from_u64(n as u64);
            let (mut by_student, mut by_bootstrap) = (0, 0);
            for _ in 0..REPEATS {
                let values: Vec<f64> = (0..n).map(|_| draw(&mut rng)).collect();
                let student = PairedDifference::of(&values, 0.0, 0.95).expect("several");
                by_student += usize::from((student.low..=student.high).contains(&mean));
                let [low, high] = bootstrap(&values, &mut rng);
                by_bootstrap += usize::from((low..=high).contains(&mean));
            }
            let share = |count: usize| count as f64 / REPEATS as f64;
            // The standard deviation of a share of 0.95 over 1500 is 0.006.
            assert!(
                share(by_student) > 0.932,
                "{kind}, {n}: {}",
                share(by_student)
            );
            assert!(
                share(by_bootstrap) < 0.92,
                "{kind}, {n}: {}",
                share(by_bootstrap)
            );
        }
    }
}
