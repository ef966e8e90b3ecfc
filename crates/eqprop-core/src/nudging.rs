//! Nudging of the output.

mod circle;

use serde::{Deserialize, Serialize};

use crate::{activation::Activation, cost::Cost, error::ConfigError};
pub use circle::{Circle, CirclePoint};

/// The nudging factors of a gradient estimate.
///
/// An estimate contrasts equilibria of `F = E + βC`, all reached from the free one. With two of
/// them, at `β₁` and `β₂`:
///
/// ```text
/// ĝ = 1/(β₁ − β₂) · mean[ ∂E/∂θ(s^β₁) − ∂E/∂θ(s^β₂) ]
///
/// OneSided    β₁ = β, β₂ = 0 (the free equilibrium)     error O(β)
/// RandomSign  as OneSided, with ±β drawn per batch      error O(β), O(β²) on average
/// Centered    β₁ = β, β₂ = −β                           error O(β²), one relaxation more
/// ```
///
/// `HigherOrder` takes `n` symmetric pairs and weights them so that all errors below `β^{2n}`
/// cancel: the central finite difference of order `2n` for the derivative `d/dβ ∂E/∂θ(s^β)` at `β = 0`,
/// which is the gradient.
///
/// ```text
/// ĝ = Σ_{k=1…n} w_k · mean[ ∂E/∂θ(s^{kβ/n}) − ∂E/∂θ(s^{−kβ/n}) ]        error O(β^{2n})
///
/// w_k = (n/β) · (−1)^{k+1}/k · (n!)² / ((n−k)! (n+k)!)
/// ```
///
/// The largest nudge is `β`; all `2n` nudged phases relax as one batch. `n = 1` is `Centered`. It is
/// for nudges that must be large, because small ones are lost in noise or in the precision of the
/// numbers: there it is less biased, at `n` times the cost. It requires equilibria that depend smoothly
/// on β (sigmoid, tanh; not hard sigmoid or ReLU, whose units switch) and that have converged.
///
/// One-sided with random sign is Scellier & Bengio (2017), <https://arxiv.org/abs/1602.05179>; centered
/// is Laborieux et al. (2021), <https://arxiv.org/abs/2006.03824>; [`Circle`] extends nudging to
/// complex factors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Nudging {
    /// Contrasts `β`, which may have either sign, with the free equilibrium.
    OneSided {
        /// Nudging factor, not 0.
        beta: f64,
    },
    /// Contrasts `β` or `−β`, drawn for each batch, with the free equilibrium.
    RandomSign {
        /// Nudging factor, greater than 0.
        beta: f64,
    },
    /// Contrasts `β` with `−β`.
    Centered {
        /// Nudging factor, greater than 0.
        beta: f64,
    },
    /// Contrasts `kβ/n` with `−kβ/n`, for `k = 1 … n`.
    HigherOrder {
        /// The largest nudging factor, greater than 0.
        beta: f64,
        /// Number `n` of pairs, 1 to 20. The outermost of 20 has a weight of 7e-12 of `1/β`: further
        /// ones would add phases and no digits.
        #[serde(default = "two")]
        n_pairs: usize,
    },
}

fn two() -> usize {
    2
}

/// The largest number of pairs of [`Nudging::HigherOrder`].
const MOST_PAIRS: usize = 20;

/// A term of an estimate: `weight · mean[∂E/∂θ(s^first) − ∂E/∂θ(s^second)]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The nudging factor of the first equilibrium.
    pub first: f64,
    /// The nudging factor of the second equilibrium; 0 for the free one.
    pub second: f64,
    /// The factor of the difference.
    pub weight: f64,
}

impl Difference {
    fn quotient(first: f64, second: f64) -> Self {
        let weight = 1.0 / (first - second);
        Self {
            first,
            second,
            weight,
        }
    }
}

impl Nudging {
    /// Returns the (largest) nudging factor as configured.
    pub fn beta(self) -> f64 {
        match self {
            Self::OneSided { beta }
            | Self::RandomSign { beta }
            | Self::Centered { beta }
            | Self::HigherOrder { beta, .. } => beta,
        }
    }

    /// Returns the terms whose sum is the estimate. `sign` is the sign of β if it is random, and is
    /// ignored otherwise.
    pub fn differences(self, sign: f64) -> Vec<Difference> {
        match self {
            Self::OneSided { beta } => vec![Difference::quotient(beta, 0.0)],
            Self::RandomSign { beta } => vec![Difference::quotient(beta * sign, 0.0)],
            Self::Centered { beta } => vec![Difference::quotient(beta, -beta)],
            Self::HigherOrder { beta, n_pairs } => central_differences(beta, n_pairs),
        }
    }

    /// Checks every nudging factor that this choice uses against the limits of `cost` for an output
    /// layer with activation `output`.
    ///
    /// # Errors
    /// If β is zero, not finite, negative where it must not be, or refused by the cost, or if there
    /// are no pairs or more than 20.
    pub fn validate<C: Cost>(self, cost: &C, output: Activation) -> Result<(), ConfigError> {
        self.validate_by(|beta| cost.check_beta(beta, output))
    }

    /// Checks every nudging factor that this choice uses with `check`.
    ///
    /// # Errors
    /// As [`validate_range`](Self::validate_range), and the first error of `check`.
    pub fn validate_by(
        self,
        check: impl Fn(f64) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        self.validate_range()?;
        let signs = [1.0, -1.0];
        for difference in signs.into_iter().flat_map(|sign| self.differences(sign)) {
            for beta in [difference.first, difference.second] {
                check(beta)?;
            }
        }
        Ok(())
    }

    /// Checks β and the number of pairs without the limits of a cost.
    ///
    /// # Errors
    /// If β is zero, not finite, or negative where it must not be, or if there are no pairs or more
    /// than 20.
    pub fn validate_range(self) -> Result<(), ConfigError> {
        match self {
            Self::OneSided { beta } => {
                let ok = beta.is_finite() && beta != 0.0;
                ConfigError::in_range("beta", "a number other than 0", beta, ok)?;
                ConfigError::single_precision("beta", beta)
            }
            Self::RandomSign { beta } | Self::Centered { beta } => {
                ConfigError::positive_number("beta", beta)
            }
            Self::HigherOrder { beta, n_pairs } => {
                ConfigError::positive_number("beta", beta)?;
                let ok = (1..=MOST_PAIRS).contains(&n_pairs);
                ConfigError::in_range("n_pairs", "1 to 20", n_pairs as f64, ok)
            }
        }
    }
}

/// The central finite difference of order `2n` for a first derivative, see [`Nudging`].
fn central_differences(beta: f64, n_pairs: usize) -> Vec<Difference> {
    let n = n_pairs as f64;
    // (−1)^{k+1} (n!)² / ((n−k)! (n+k)!), from one k to the next: no factorial overflows.
    let mut ratio = -1.0;
    let difference = |k: usize| {
        let k = k as f64;
        ratio *= -(n - k + 1.0) / (n + k);
        let first = beta * k / n;
        Difference {
            first,
            second: -first,
            weight: ratio / first,
        }
    };
    (1..=n_pairs).map(difference).collect()
}
