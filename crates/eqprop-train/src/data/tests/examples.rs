//! Splitting, padding and normalizing.

use super::*;

/// Three examples of two channels of 1×2 pixels; the second channel is ten times the first.
fn three_examples() -> Examples {
    Examples {
        inputs: vec![
            0.0, 0.1, 0.0, 1.0, 1.0, 1.1, 10.0, 11.0, 2.0, 2.1, 20.0, 21.0,
        ],
        labels: vec![0, 1, 2],
        shape: [2, 1, 2],
        n_classes: 3,
        targets: None,
        stream: None,
    }
}

#[test]
fn take_keeps_the_first_examples_and_at_most_all() {
    let two = three_examples().take(2);
    assert_eq!((two.len(), two.n_inputs()), (2, 4));
    assert_eq!(two.input(1), [1.0, 1.1, 10.0, 11.0]);
    assert_eq!(two.inputs.len(), 8);
    assert!(three_examples().take(0).is_empty());
    assert_eq!(three_examples().take(9), three_examples());
}

#[test]
fn split_tail_holds_out_the_last_examples() {
    let (rest, tail) = three_examples().split_tail(1);
    assert_eq!(rest, three_examples().take(2));
    assert_eq!(tail.labels, [2]);
    assert_eq!(tail.input(0), [2.0, 2.1, 20.0, 21.0]);
    let (rest, tail) = three_examples().split_tail(9);
    assert!(rest.is_empty());
    assert_eq!(tail, three_examples());
}

#[test]
fn padding_frames_every_channel_with_zeros() {
    let padded = three_examples().padded(1);
    assert_eq!(padded.shape, [2, 3, 4]);
    #[rustfmt::skip]
    assert_eq!(padded.input(1), [
        0.0, 0.0,  0.0,  0.0,
        0.0, 1.0,  1.1,  0.0,
        0.0, 0.0,  0.0,  0.0,

        0.0, 0.0,  0.0,  0.0,
        0.0, 10.0, 11.0, 0.0,
        0.0, 0.0,  0.0,  0.0,
    ]);
    assert_eq!(padded.inputs.len(), 3 * 24);
    assert_eq!(padded.labels, three_examples().labels);
    assert_eq!(three_examples().padded(0), three_examples());
}

#[test]
fn statistics_are_those_of_each_channel() {
    let (mean, deviation) = three_examples().channel_statistics();
    // By hand: mean of 0, 0.1, 1, 1.1, 2, 2.1; their variance is 2/3 between the pairs and 0.05²
    // within. The second channel: 0, 1, 10, 11, 20, 21.
    let expected = [1.05, 10.5];
    let expected_deviation = [
        (2.0_f32 / 3.0 + 0.0025).sqrt(),
        (200.0_f32 / 3.0 + 0.25).sqrt(),
    ];
    for channel in 0..2 {
        // The inputs are rounded to 24 bits, and so is the result.
        assert!((mean[channel] / expected[channel] - 1.0).abs() < 1e-6);
        assert!((deviation[channel] / expected_deviation[channel] - 1.0).abs() < 1e-6);
    }
    let nothing = three_examples().take(0).channel_statistics();
    assert_eq!(nothing, (vec![0.0; 2], vec![0.0; 2]));
}

#[test]
fn statistics_of_many_examples_lose_no_digits() {
    // 2²⁵ pixels, half 1000 and half 1001: an `f32` sum would stop growing at 2²⁴ · 1000.
    let n = 1 << 15;
    let examples = Examples {
        inputs: (0..n * 1024).map(|i| 1000.0 + (i % 2) as f32).collect(),
        labels: vec![0; n],
        shape: [1, 32, 32],
        n_classes: 1,
        targets: None,
        stream: None,
    };
    assert_eq!(examples.channel_statistics(), (vec![1000.5], vec![0.5]));
}

#[test]
fn normalized_examples_have_mean_0_and_deviation_1() {
    let (mean, deviation) = three_examples().channel_statistics();
    let normalized = three_examples().normalized(&mean, &deviation);
    let (mean, deviation) = normalized.channel_statistics();
    for channel in 0..2 {
        // Values of order 1 in `f32`.
        assert!(mean[channel].abs() < 1e-6, "{mean:?}");
        assert!((deviation[channel] - 1.0).abs() < 1e-6, "{deviation:?}");
    }
    // Each channel by its own numbers, in the direction of the equation.
    let normalized = three_examples().normalized(&[1.0, 10.0], &[2.0, 4.0]);
    assert_eq!(normalized.input(2), [0.5, (2.1 - 1.0) / 2.0, 2.5, 2.75]);
    assert_eq!(normalized.labels, three_examples().labels);
}

#[test]
fn a_constant_channel_is_shifted_only() {
    let constant = three_examples().normalized(&[1.0, 10.0], &[0.0, 1.0]);
    assert_eq!(constant.input(2), [1.0, 2.1 - 1.0, 10.0, 11.0]);
}

#[test]
#[should_panic(expected = "one mean and one deviation are needed for each of 2 channels")]
fn statistics_of_another_number_of_channels_are_refused() {
    three_examples().normalized(&[1.0], &[1.0]);
}

#[test]
#[should_panic(expected = "deviations must be finite and at least 0")]
fn a_deviation_that_is_not_a_number_is_refused() {
    three_examples().normalized(&[1.0; 2], &[1.0, f32::NAN]);
}
