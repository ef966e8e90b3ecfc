//! Errors in configurations.

/// An invalid value in a configuration.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A number is outside its range.
    #[error("{field} must be {expected}, but is {found}")]
    OutOfRange {
        /// Name of the field.
        field: &'static str,
        /// The allowed range, in words.
        expected: &'static str,
        /// The value found.
        found: f64,
    },
    /// A layer has more units than can be connected.
    #[error(
        "a layer of {shape} units is too large: at most {most} can be connected; use fewer units, or \
         fewer and smaller feature maps"
    )]
    TooManyUnits {
        /// The layer's shape.
        shape: String,
        /// The largest number of units of a layer.
        most: usize,
    },
    /// A connection does not fit its layers.
    #[error("connection {connection} needs {needed}")]
    DoesNotFit {
        /// Index of the connection.
        connection: usize,
        /// The missing requirement.
        needed: String,
    },
    /// The network has no free layer.
    #[error("a network needs at least one layer above the input")]
    NoLayers,
    /// A connection names a layer that does not exist.
    #[error(
        "connection {connection} joins layers {from} and {to}, but the network has layers \
         0 (the input) to {last}"
    )]
    UnknownLayer {
        /// Position of the connection in the configuration.
        connection: usize,
        /// The presynaptic layer.
        from: usize,
        /// The postsynaptic layer.
        to: usize,
        /// The highest layer.
        last: usize,
    },
    /// A connection leads into the clamped input.
    #[error("connection {connection} leads into layer 0, the clamped input; swap its ends")]
    IntoInput {
        /// Position of the connection in the configuration.
        connection: usize,
    },
    /// A layer has no connection.
    #[error("layer {layer} has no connection")]
    Unconnected {
        /// The layer, counted from the input as 0.
        layer: usize,
    },
    /// The nudging factor makes the total energy unbounded.
    #[error(
        "beta = {beta} is refused: with the squared error and beta <= -1 the total energy \
         E + beta C falls without bound as an output unit grows, because the output layer has \
         no largest value; use beta > -1, or a bounded output activation"
    )]
    Unbounded {
        /// The nudging factor.
        beta: f64,
    },
    /// The connections do not form a chain.
    #[error(
        "predictive coding needs a chain of layers, each predicted from the one below: one \
         connection from layer {below} to layer {}, in place {below} of the connections, and no \
         others but identities from a hidden layer to the next", below + 1
    )]
    NotAChain {
        /// The layer below the first connection that is missing or out of place, counted from the
        /// input as 0.
        below: usize,
    },
    /// An identity connection does not form a residual block.
    #[error(
        "connection {connection} is an identity from layer {from} to layer {to}, but predictive coding has \
         identities only from a hidden layer to the next hidden layer, one each; leave it out"
    )]
    NotAResidualBlock {
        /// Position of the connection in the configuration.
        connection: usize,
        /// The presynaptic layer, counted from the input as 0.
        from: usize,
        /// The postsynaptic layer.
        to: usize,
    },
    /// A model does not support an activation.
    #[error("{model} needs {needed}, but layer {layer} has {activation}{remedy}")]
    UnfitActivation {
        /// The model.
        model: &'static str,
        /// The activations that it supports.
        needed: &'static str,
        /// The layer, counted from the input as 0.
        layer: usize,
        /// Its activation.
        activation: String,
        /// An alternative, after a semicolon; may be empty.
        remedy: &'static str,
    },
    /// Levels for units that have no range.
    #[error(
        "states of few bits have their levels in a range, but layer {layer} has the activation {activation}, which has \
         none: set state_range, such as 2, or an activation between two ends, such as hard_sigmoid or tanh"
    )]
    NoRange {
        /// The layer, counted from the input as 0.
        layer: usize,
        /// Its activation.
        activation: String,
    },
    /// The nudge outweighs the energy in an output unit.
    #[error(
        "beta = {beta} is refused: the energy of this network has a curvature of {curvature} only \
         in an output unit, so that E + beta C falls without bound as the unit grows; use beta > \
         -{curvature}, or a bounded output activation"
    )]
    Outweighed {
        /// The nudging factor.
        beta: f64,
        /// The smallest curvature of the energy in an output unit.
        curvature: f64,
    },
}

impl ConfigError {
    /// The largest number allowed in a configuration; its reciprocal is the smallest one above 0. In
    /// `f32`, in which networks compute, twice the largest is finite and half the smallest is above 0.
    pub const LARGEST: f64 = 1e37;

    /// Checks that a number is as `expected`; `ok` says whether it is.
    ///
    /// # Errors
    /// [`OutOfRange`](Self::OutOfRange), if it is not.
    pub fn in_range(
        field: &'static str,
        expected: &'static str,
        found: f64,
        ok: bool,
    ) -> Result<(), Self> {
        match ok {
            true => Ok(()),
            false => Err(Self::OutOfRange {
                field,
                expected,
                found,
            }),
        }
    }

    /// Checks a count.
    ///
    /// # Errors
    /// If it is 0.
    pub fn at_least_one(field: &'static str, found: usize) -> Result<(), Self> {
        Self::in_range(field, "at least 1", found as f64, found > 0)
    }

    /// Checks a number.
    ///
    /// # Errors
    /// If it is 0, negative, infinite or not a number, or [`single_precision`](Self::single_precision)
    /// refuses it.
    pub fn positive_number(field: &'static str, found: f64) -> Result<(), Self> {
        let ok = found.is_finite() && found > 0.0;
        Self::in_range(field, "a positive number", found, ok)?;
        Self::single_precision(field, found)
    }

    /// Checks a number that is at most 1.
    ///
    /// # Errors
    /// If it is not in (0, 1], or [`single_precision`](Self::single_precision) refuses it.
    pub fn fraction(field: &'static str, found: f64) -> Result<(), Self> {
        let ok = found > 0.0 && found <= 1.0;
        Self::in_range(field, "greater than 0 and at most 1", found, ok)?;
        Self::single_precision(field, found)
    }

    /// Checks that `f32` can represent a number, in which others would be infinite, or 0.
    ///
    /// # Errors
    /// If its absolute value is above [`LARGEST`](Self::LARGEST), or below the reciprocal of that and
    /// not 0.
    pub fn single_precision(field: &'static str, found: f64) -> Result<(), Self> {
        let ok = found == 0.0 || (1.0 / Self::LARGEST..=Self::LARGEST).contains(&found.abs());
        let expected = "of a size between 1e-37 and 1e37, which single precision can hold";
        Self::in_range(field, expected, found, ok)
    }
}

/// Unwraps a checked configuration.
///
/// # Panics
/// If it is not valid, with the message of the error.
pub(crate) fn assert_valid<T>(checked: Result<T, ConfigError>) -> T {
    checked.unwrap_or_else(|error| panic!("{error}"))
}
