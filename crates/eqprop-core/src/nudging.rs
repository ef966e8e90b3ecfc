//! How the output is nudged.

use serde::{Deserialize, Serialize};

use crate::{activation::Activation, cost::Cost, error::ConfigError};

/// The nudging factors of a gradient estimate.
///
/// An estimate contrasts two equilibria of `F = E + βC`, at `β₁` and `β₂`, both reached from
/// the free one:
///
/// ```text
/// ĝ = 1/(β₁ − β₂) · mean[ ∂E/∂θ(s^β₁) − ∂E/∂θ(s^β₂) ]
///
/// OneSided    β₁ = β, β₂ = 0 (the free equilibrium)     error O(β)
/// RandomSign  as OneSided, with ±β drawn per batch      error O(β), O(β²) on average
/// Centered    β₁ = β, β₂ = −β                           error O(β²), one relaxation more
/// ```
///
/// One-sided with random sign is Scellier & Bengio (2017), <https://arxiv.org/abs/1602.05179>;
/// centered is Laborieux et al. (2021), <https://arxiv.org/abs/2006.03824>.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Nudging {
    /// From the free equilibrium to `β`, which may have either sign.
    OneSided {
        /// Nudging factor, not 0.
        beta: f64,
    },
    /// From the free equilibrium to `β` or `−β`, drawn for each batch.
    RandomSign {
        /// Nudging factor, greater than 0.
        beta: f64,
    },
    /// Between `−β` and `β`.
    Centered {
        /// Nudging factor, greater than 0.
        beta: f64,
    },
}

impl Nudging {
    /// The nudging factor as configured.
    pub fn beta(self) -> f64 {
        match self {
            Self::OneSided { beta } | Self::RandomSign { beta } | Self::Centered { beta } => beta,
        }
    }

    /// Checks every nudging factor that this choice uses, with the limits of `cost` on an output
    /// layer of activation `output`.
    ///
    /// # Errors
    /// If β is zero, not finite, negative where it must not be, or refused by the cost.
    pub fn validate<C: Cost>(self, cost: &C, output: Activation) -> Result<(), ConfigError> {
        self.validate_range()?;
        cost.check_beta(self.beta(), output)?;
        if self.has_two_signs() {
            cost.check_beta(-self.beta(), output)?;
        }
        Ok(())
    }

    /// Checks β without the limits of a cost.
    ///
    /// # Errors
    /// If β is zero, not finite, or negative where it must not be.
    pub fn validate_range(self) -> Result<(), ConfigError> {
        let beta = self.beta();
        let (expected, allowed) = if self.has_two_signs() {
            ("a positive number", beta > 0.0)
        } else {
            ("a number other than 0", beta != 0.0)
        };
        if beta.is_finite() && allowed {
            Ok(())
        } else {
            Err(ConfigError::OutOfRange {
                field: "beta",
                expected,
                found: beta,
            })
        }
    }

    fn has_two_signs(self) -> bool {
        !matches!(self, Self::OneSided { .. })
    }
}
