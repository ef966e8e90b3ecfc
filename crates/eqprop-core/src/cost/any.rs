//! A cost chosen at run time.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::cross_entropy::CrossEntropyNudge;
use super::phase_error::PhaseErrorNudge;
use super::squared_error::SquaredErrorNudge;
use super::{
    ClassWeighted, Cost, CrossEntropy, CrossEntropyConfig, Intermediate, LocalCost, PhaseError,
    QuadraticNudge, SquaredError,
};
use crate::{activation::Activation, error::ConfigError, gradients::Gradients};

/// The choice of a cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostConfig {
    /// [`SquaredError`].
    SquaredError,
    /// [`CrossEntropy`].
    CrossEntropy,
    /// [`PhaseError`].
    PhaseError,
}

/// One of the costs, chosen at run time.
#[derive(Module, Debug)]
pub enum AnyCost {
    /// See [`SquaredError`].
    SquaredError(SquaredError),
    /// See [`CrossEntropy`].
    CrossEntropy(CrossEntropy),
    /// See [`PhaseError`].
    PhaseError(PhaseError),
    /// The squared error with class weights.
    WeightedSquaredError(ClassWeighted<SquaredError>),
    /// The cross-entropy with class weights.
    WeightedCrossEntropy(ClassWeighted<CrossEntropy>),
    /// The phase error with class weights.
    WeightedPhaseError(ClassWeighted<PhaseError>),
    /// The squared error with costs of layers before the output; all classes have weights.
    IntermediateSquaredError(ClassWeighted<Intermediate<SquaredError>>),
    /// The cross-entropy with costs of layers before the output; all classes have weights.
    IntermediateCrossEntropy(ClassWeighted<Intermediate<CrossEntropy>>),
}

/// The nudge of an [`AnyCost`].
#[derive(Debug, Clone)]
#[allow(
    clippy::large_enum_variant,
    reason = "one lives at a time, for a whole relaxation"
)]
pub enum AnyNudge {
    /// See [`SquaredErrorNudge`].
    SquaredError(SquaredErrorNudge),
    /// See [`CrossEntropyNudge`].
    CrossEntropy(CrossEntropyNudge),
    /// See [`PhaseErrorNudge`].
    PhaseError(PhaseErrorNudge),
}

impl CostConfig {
    /// Creates the cost for an output layer of `n_units` units and `n_classes` classes.
    pub fn init(&self, n_units: usize, n_classes: usize, device: &Device) -> AnyCost {
        match self {
            Self::SquaredError => AnyCost::SquaredError(SquaredError),
            Self::CrossEntropy => {
                AnyCost::CrossEntropy(CrossEntropyConfig::new(n_units, n_classes).init(device))
            }
            Self::PhaseError => AnyCost::PhaseError(PhaseError),
        }
    }
}

impl AnyCost {
    /// Returns the same cost with a weight for each class.
    ///
    /// # Panics
    /// If a weight is negative or not finite.
    pub fn with_class_weights(self, weights: Vec<f64>) -> Self {
        match self {
            Self::SquaredError(cost) | Self::WeightedSquaredError(ClassWeighted { cost, .. }) => {
                Self::WeightedSquaredError(ClassWeighted::new(cost, weights))
            }
            Self::CrossEntropy(cost) | Self::WeightedCrossEntropy(ClassWeighted { cost, .. }) => {
                Self::WeightedCrossEntropy(ClassWeighted::new(cost, weights))
            }
            Self::PhaseError(cost) | Self::WeightedPhaseError(ClassWeighted { cost, .. }) => {
                Self::WeightedPhaseError(ClassWeighted::new(cost, weights))
            }
            Self::IntermediateSquaredError(ClassWeighted { cost, .. }) => {
                Self::IntermediateSquaredError(ClassWeighted::new(cost, weights))
            }
            Self::IntermediateCrossEntropy(ClassWeighted { cost, .. }) => {
                Self::IntermediateCrossEntropy(ClassWeighted::new(cost, weights))
            }
        }
    }

    /// The same cost with those of layers before the output; see [`Intermediate`].
    ///
    /// # Panics
    /// As [`Intermediate::new`]; if the cost is a phase error, whose layers have no readouts; and if it already
    /// has local costs or [class weights](Self::with_class_weights), which are to be set afterwards.
    pub fn with_locals(self, locals: Vec<LocalCost>) -> Self {
        let Some(local) = locals.first() else {
            return self;
        };
        let alike = vec![1.0; local.n_classes()];
        match self {
            Self::SquaredError(cost) => {
                let cost = Intermediate::new(cost, locals);
                Self::IntermediateSquaredError(ClassWeighted::new(cost, alike))
            }
            Self::CrossEntropy(cost) => {
                let cost = Intermediate::new(cost, locals);
                Self::IntermediateCrossEntropy(ClassWeighted::new(cost, alike))
            }
            _ => panic!(
                "local costs are added to a plain squared error or cross-entropy, only once and before class weights"
            ),
        }
    }
}

/// Calls the same method on whichever cost it is.
macro_rules! dispatch {
    ($self:expr, $cost:ident => $call:expr) => {
        match $self {
            AnyCost::SquaredError($cost) => $call,
            AnyCost::CrossEntropy($cost) => $call,
            AnyCost::PhaseError($cost) => $call,
            AnyCost::WeightedSquaredError($cost) => $call,
            AnyCost::WeightedCrossEntropy($cost) => $call,
            AnyCost::WeightedPhaseError($cost) => $call,
            AnyCost::IntermediateSquaredError($cost) => $call,
            AnyCost::IntermediateCrossEntropy($cost) => $call,
        }
    };
    ($self:expr, $nudge:expr, ($cost:ident, $inner:ident) => $call:expr) => {
        match ($self, $nudge) {
            (AnyCost::SquaredError($cost), AnyNudge::SquaredError($inner)) => $call,
            (AnyCost::CrossEntropy($cost), AnyNudge::CrossEntropy($inner)) => $call,
            (AnyCost::PhaseError($cost), AnyNudge::PhaseError($inner)) => $call,
            (AnyCost::WeightedSquaredError($cost), AnyNudge::SquaredError($inner)) => $call,
            (AnyCost::WeightedCrossEntropy($cost), AnyNudge::CrossEntropy($inner)) => $call,
            (AnyCost::WeightedPhaseError($cost), AnyNudge::PhaseError($inner)) => $call,
            (AnyCost::IntermediateSquaredError($cost), AnyNudge::SquaredError($inner)) => $call,
            (AnyCost::IntermediateCrossEntropy($cost), AnyNudge::CrossEntropy($inner)) => $call,
            _ => unreachable!("a nudge belongs to the cost that made it"),
        }
    };
}

impl Cost for AnyCost {
    type Nudge = AnyNudge;

    fn value(&self, output: &Tensor<2>, target: &Tensor<2>) -> Tensor<1> {
        dispatch!(self, cost => cost.value(output, target))
    }

    fn scores(&self, output: &Tensor<2>, drive: &Tensor<2>) -> Tensor<2> {
        dispatch!(self, cost => cost.scores(output, drive))
    }

    fn nudge(&self, target: &Tensor<2>, beta: Tensor<2>, activation: Activation) -> AnyNudge {
        match self {
            Self::SquaredError(cost) => {
                AnyNudge::SquaredError(cost.nudge(target, beta, activation))
            }
            Self::CrossEntropy(cost) => {
                AnyNudge::CrossEntropy(cost.nudge(target, beta, activation))
            }
            Self::WeightedSquaredError(cost) => {
                AnyNudge::SquaredError(cost.nudge(target, beta, activation))
            }
            Self::WeightedCrossEntropy(cost) => {
                AnyNudge::CrossEntropy(cost.nudge(target, beta, activation))
            }
            Self::IntermediateSquaredError(cost) => {
                AnyNudge::SquaredError(cost.nudge(target, beta, activation))
            }
            Self::IntermediateCrossEntropy(cost) => {
                AnyNudge::CrossEntropy(cost.nudge(target, beta, activation))
            }
            Self::PhaseError(cost) => AnyNudge::PhaseError(cost.nudge(target, beta, activation)),
            Self::WeightedPhaseError(cost) => {
                AnyNudge::PhaseError(cost.nudge(target, beta, activation))
            }
        }
    }

    fn nudged_value(&self, nudge: &AnyNudge, output: &Tensor<2>) -> Tensor<1> {
        dispatch!(self, nudge, (cost, nudge) => cost.nudged_value(nudge, output))
    }

    fn force(&self, nudge: &AnyNudge, output: &Tensor<2>) -> Tensor<2> {
        dispatch!(self, nudge, (cost, nudge) => cost.force(nudge, output))
    }

    fn minimize(
        &self,
        nudge: &AnyNudge,
        activation: Activation,
        drive: Tensor<2>,
        output: &Tensor<2>,
    ) -> Tensor<2> {
        dispatch!(self, nudge, (cost, nudge) => cost.minimize(nudge, activation, drive, output))
    }

    fn check_beta(&self, beta: f64, activation: Activation) -> Result<(), ConfigError> {
        dispatch!(self, cost => cost.check_beta(beta, activation))
    }

    fn is_quadratic(&self) -> bool {
        dispatch!(self, cost => cost.is_quadratic())
    }

    fn quadratic_nudge<'a>(&self, nudge: &'a AnyNudge) -> Option<QuadraticNudge<'a>> {
        dispatch!(self, nudge, (cost, inner) => cost.quadratic_nudge(inner))
    }

    fn gradients(&self, output: &Tensor<2>, target: &Tensor<2>, gradients: &mut Gradients) {
        dispatch!(self, cost => cost.gradients(output, target, gradients))
    }

    fn weighted_gradients(
        &self,
        output: &Tensor<2>,
        target: &Tensor<2>,
        weights: &Tensor<2>,
        gradients: &mut Gradients,
    ) {
        dispatch!(self, cost => cost.weighted_gradients(output, target, weights, gradients))
    }

    fn locals(&self) -> Vec<LocalCost> {
        dispatch!(self, cost => cost.locals())
    }
}
