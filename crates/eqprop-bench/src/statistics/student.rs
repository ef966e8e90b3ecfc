//! Student's distribution.

use std::f64::consts::{FRAC_PI_2, PI};

/// Returns `P(|T| ≤ t)` for Student's distribution with `n` degrees of freedom, at least 1: a finite sum for
/// integer `n`.
///
/// ```text
/// θ = atan(t/√n)
/// n odd     2/π · [θ + sin θ (cos θ + 2/3 cos³θ + … + (2·4⋯(n−3))/(3·5⋯(n−2)) cosⁿ⁻²θ)]
/// n even    sin θ · [1 + 1/2 cos²θ + … + (1·3⋯(n−3))/(2·4⋯(n−2)) cosⁿ⁻²θ]
/// ```
///
/// # Reference
/// Abramowitz & Stegun, 26.7.3 and 26.7.4
pub(super) fn within(t: f64, n: usize) -> f64 {
    let angle = (t.abs() / (n as f64).sqrt()).atan();
    within_angle(angle, n)
}

fn within_angle(angle: f64, n: usize) -> f64 {
    let (sin, cos) = angle.sin_cos();
    let is_odd = n % 2 == 1;
    let mut term = if is_odd { cos } else { 1.0 };
    let mut sum = if n == 1 { 0.0 } else { term };
    let first = if is_odd { 3 } else { 2 };
    for k in (first..n.saturating_sub(1)).step_by(2) {
        term *= cos * cos * (k as f64 - 1.0) / k as f64;
        sum += term;
    }
    if is_odd {
        (angle + sin * sum) * 2.0 / PI
    } else {
        sin * sum
    }
}

/// Returns the `t` for which `P(|T| ≤ t)` is `level`, in [0, 1).
pub(super) fn quantile(level: f64, n: usize) -> f64 {
    let (mut low, mut high) = (0.0, FRAC_PI_2);
    // Each iteration halves the interval, down to the last digit.
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if within_angle(middle, n) < level {
            low = middle;
        } else {
            high = middle;
        }
    }
    low.tan() * (n as f64).sqrt()
}
