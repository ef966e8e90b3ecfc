//! Lists of numbers, and the distance between two of them.

use burn::tensor::Tensor;
use eqprop_core::state::State;

/// One list of numbers per parameter, in the order of the fields.
pub type Lists = Vec<Vec<f64>>;

/// Returns the numbers of a tensor, row by row.
pub fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    tensor.clone().into_data().iter::<f64>().collect()
}

/// Returns the numbers of all layers.
pub fn flat(state: &State) -> Vec<f64> {
    state.layers().iter().flat_map(values).collect()
}

/// Returns the largest difference of two lists of numbers; NaN if an entry is NaN.
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    differences.fold(
        0.0,
        |most: f64, d| if d > most || d.is_nan() { d } else { most },
    )
}

/// Returns the largest absolute value.
pub fn largest(values: &[f64]) -> f64 {
    // `f64::max` would drop a NaN.
    let larger = |most: f64, value: &f64| match value.abs() > most || value.is_nan() {
        true => value.abs(),
        false => most,
    };
    values.iter().fold(0.0, larger)
}

/// Returns `‖a‖`.
pub fn norm(values: &[f64]) -> f64 {
    dot(values, values).sqrt()
}

/// Returns `‖a − b‖`.
pub fn residual(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
}

/// Returns `‖found − expected‖ / ‖expected‖`.
pub fn relative_error(found: &[f64], expected: &[f64]) -> f64 {
    residual(found, expected) / norm(expected)
}

/// Returns the cosine of the angle between two lists.
pub fn cosine(a: &[f64], b: &[f64]) -> f64 {
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Returns the order `p` of `y ∝ xᵖ`: the slope of `ln y` over `ln x` by least squares.
pub fn order_of(x: &[f64], y: &[f64]) -> f64 {
    let centered = |values: &[f64]| {
        let logs: Vec<f64> = values.iter().map(|v| v.ln()).collect();
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        logs.iter().map(|log| log - mean).collect::<Vec<_>>()
    };
    let (x, y) = (centered(x), centered(y));
    dot(&x, &y) / dot(&x, &x)
}

/// Asserts that no number is further than `tolerance` from the expected one.
#[track_caller]
pub fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    let distance = distance(found, expected);
    assert!(
        distance <= tolerance,
        "{what}: off by {distance:e}, allowed {tolerance:e}\n   found {found:?}\nexpected {expected:?}"
    );
}

/// Asserts that `found` is within `tolerance` of `expected`, relative to its norm, and that it would be
/// ten times further away if the gradient of any one parameter (except one that is 0, below clipped
/// units) had the other sign.
#[track_caller]
pub fn assert_agrees(found: &Lists, expected: &Lists, tolerance: f64, what: &str) {
    let off = |found: &Lists| relative_error(&found.concat(), &expected.concat());
    let found_off = off(found);
    assert!(
        found_off <= tolerance,
        "{what}: off by {found_off:e}, allowed {tolerance:e}"
    );
    let with_gradient = |index: &usize| expected[*index].iter().any(|g| *g != 0.0);
    for index in (0..found.len()).filter(with_gradient) {
        let mut flipped = found.clone();
        flipped[index].iter_mut().for_each(|g| *g = -*g);
        let off = off(&flipped);
        assert!(
            off > 10.0 * tolerance,
            "{what}: with parameter {index} flipped off by {off:e} only, allowed {tolerance:e}"
        );
    }
}
