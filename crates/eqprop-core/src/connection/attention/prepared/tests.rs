use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};

use super::moved_probabilities;

/// `P_1 − P_2` of softmaxes of these scores, one query each.
fn moved(first: [f32; 2], second: [f32; 2]) -> Vec<f32> {
    let scores = [first, second]
        .map(|scores| Tensor::<1>::from_floats(scores, &Device::flex()).reshape([1, 1, 1, 2]));
    let [p_first, p_second] = scores.each_ref().map(|scores| softmax(scores.clone(), 3));
    let [first, second] = scores;
    let moved = moved_probabilities([&p_first, &p_second], first - second);
    moved.into_data().try_to_vec().unwrap()
}

#[test]
fn scores_that_are_close_lose_no_digits() {
    let moved = moved([0.0, 2f32.powi(-20)], [0.0, 0.0]);
    let exact = 2f32.powi(-22);
    assert!((moved[1] / exact - 1.0).abs() < 1e-5, "{moved:?}");
    assert!((moved[0] / exact + 1.0).abs() < 1e-5, "{moved:?}");
}

#[test]
fn scores_that_are_far_apart_give_the_plain_difference() {
    let moved = moved([0.0, 10.0], [0.0, -90.0]);
    assert!((moved[0] + 1.0).abs() < 1e-4, "{moved:?}");
    assert!((moved[1] - 1.0).abs() < 1e-4, "{moved:?}");
}
