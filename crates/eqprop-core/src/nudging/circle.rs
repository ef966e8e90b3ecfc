//! Nudging factors on a circle in the complex plane.

use core::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::error::ConfigError;

/// `N` nudging factors `β_k = |β| e^{2πik/N}`, evenly spaced on a circle around 0.
///
/// If the equilibrium `s^β`, which is now complex, is a holomorphic function of β inside the circle,
/// its derivative at the center is an integral along the circle (Cauchy's formula), here a sum over `N`
/// points:
///
/// ```text
/// ĝ = 1/N · Σ_k Re[ 1/β_k · mean( ∂E/∂θ(s^{β_k}) − ∂E/∂θ(s⁰) ) ]        error O(β^N)
/// ```
///
/// The error falls as `(|β|/R)^N`, where `R` is the distance from 0 of the nearest singularity of
/// `s^β`: for any `|β| < R` the estimate is exact as `N → ∞`. `N = 1` is
/// [`OneSided`](super::Nudging::OneSided) and `N = 2` is [`Centered`](super::Nudging::Centered); for
/// `N ≥ 2` the free equilibrium cancels out. Parameters are real, so conjugate nudging factors have
/// conjugate equilibria, and only `⌊N/2⌋ + 1` points need to be relaxed.
///
/// # Reference
/// Laborieux & Zenke (2022), <https://arxiv.org/abs/2209.00530>
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Circle {
    /// Radius `|β|`, greater than 0.
    pub beta: f64,
    /// Number `N` of points, at least 1.
    pub n_points: usize,
}

/// A nudging factor on the upper half of a [`Circle`], which represents its conjugate as well.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CirclePoint {
    /// Real part of `β_k`.
    pub re: f64,
    /// Imaginary part of `β_k`, at least 0.
    pub im: f64,
    /// Real and imaginary part of the factor of `∂E/∂θ` in the estimate: `1/(N β_k)`, or twice that if
    /// the conjugate is another point.
    pub weight: [f64; 2],
}

impl Circle {
    /// Returns the points of the upper half, from `|β|` to `−|β|` or the last one before it.
    pub fn upper_half(self) -> Vec<CirclePoint> {
        let Self { beta, n_points } = self;
        let point = |k: usize| {
            // At the ends exactly real: sin π is not 0 in floating point.
            let (cos, sin) = match k {
                0 => (1.0, 0.0),
                k if 2 * k == n_points => (-1.0, 0.0),
                k => {
                    let (sin, cos) = (2.0 * PI * k as f64 / n_points as f64).sin_cos();
                    (cos, sin)
                }
            };
            let n_stands_for = if sin == 0.0 { 1.0 } else { 2.0 };
            let scale = n_stands_for / (n_points as f64 * beta);
            CirclePoint {
                re: beta * cos,
                im: beta * sin,
                weight: [scale * cos, -scale * sin],
            }
        };
        (0..=n_points / 2).map(point).collect()
    }

    /// Checks radius and number of points.
    ///
    /// # Errors
    /// If the radius is not a positive number, or there are no points.
    pub fn validate(self) -> Result<(), ConfigError> {
        ConfigError::positive_number("beta", self.beta)?;
        ConfigError::at_least_one("n_points", self.n_points)
    }
}
