//! The errors of an examination.

use eqprop_core::error::ConfigError;

use super::precision::Precision;

/// The reason why a network cannot be examined.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FidelityError {
    /// A value of the configuration cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The device does not have the number format.
    #[error("this device does not compute in {}; leave the precision open", precision.name())]
    Precision {
        /// The number format.
        precision: Precision,
    },
    /// There are no examples to measure on.
    #[error("an examination needs at least one batch with at least one example")]
    NoExamples,
    /// There is no gradient to compare with.
    #[error(
        "the {phase} became infinite or not a number: the network has no equilibrium for some \
         example, so there is no gradient to compare with"
    )]
    NotFinite {
        /// The phase in which it happened.
        phase: &'static str,
    },
}
