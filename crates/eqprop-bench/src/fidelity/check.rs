//! Compares one estimate with the exact gradient.

use burn::module::Module;
use burn::optim::GradientsParams;
use eqprop_core::cost::Cost;
use eqprop_core::energy::VectorField;
use eqprop_core::relaxation::Stopping;
use eqprop_train::batch::Batch;
use eqprop_train::estimator::GradientEstimator;
use eqprop_train::network::EquilibriumNetwork;
use serde::Serialize;

use super::agreement::{Agreement, Agreements, LayerGradients, lowest_cosine};
use super::error::FidelityError;
use super::precision::Precision;
use super::problem::Problem;

/// Agreement of two gradients of a module.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GradientPair {
    /// All parameters as one vector.
    pub whole: Agreement,
    /// Each parameter by its path in the module, such as `energy.function.weight`.
    pub parameters: Vec<(String, Agreement)>,
}

impl GradientPair {
    /// Returns the lowest cosine of any parameter; NaN if any is NaN.
    pub fn lowest_cosine(&self) -> f64 {
        lowest_cosine(self.parameters.iter().map(|(_, agreement)| agreement))
    }
}

/// Compares an estimate of the gradient of any Burn module with the exact one, parameter by parameter. A
/// missing gradient counts as 0.
pub fn compare<M: Module>(
    module: &M,
    estimate: &GradientsParams,
    exact: &GradientsParams,
) -> GradientPair {
    let of = |gradients| LayerGradients::by_path(module, gradients);
    let (estimate, exact) = (of(estimate), of(exact));
    let agreements = Agreements::between(&estimate, &exact);
    GradientPair {
        whole: agreements.whole,
        parameters: exact
            .names()
            .into_iter()
            .zip(agreements.parameters)
            .collect(),
    }
}

/// Agreement of an estimate with the exact gradient, and the accuracy of the latter.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// The agreement.
    pub gradient: GradientPair,
    /// The number format of all computations.
    pub precision: Precision,
    /// Largest residual of the free equilibria at which the exact gradient is computed. If it is not small,
    /// asynchronous steps do not converge on this energy, and there is no exact gradient.
    pub free_residual: f64,
    /// Largest change of the costates in their last sweep.
    pub costate_residual: f64,
}

/// Compares the gradient that `estimator`, as configured, computes on `batch` with the exact one, in the most
/// precise number format of the batch's device.
///
/// Relaxes the free phase further, to its equilibrium, where recurrent backpropagation finds the exact
/// gradient. This works for any field whose drives are differentiable, including an energy of your own; see
/// [`CustomEnergy`](eqprop_core::energy::CustomEnergy). Free phases start at rest.
///
/// # Errors
/// If the batch is empty, or there is no exact gradient.
pub fn check<E: VectorField, C: Cost>(
    network: &EquilibriumNetwork<E, C>,
    batch: &Batch,
    estimator: &impl GradientEstimator<E, C>,
) -> Result<Check, FidelityError> {
    if batch.input.dims()[0] == 0 {
        return Err(FidelityError::NoExamples);
    }
    let precision = Precision::of(&batch.input.device());
    let network = &precision.network(network.clone());
    let problem = Problem::new(network, estimator, batch, precision, costate(precision))?;
    let estimate = estimator.estimate(network, &problem.batch, None);
    Ok(Check {
        gradient: compare(network, &estimate.gradients, &problem.gradients),
        precision,
        free_residual: problem.free_residual,
        costate_residual: problem.costate_residual,
    })
}

/// Returns when the costate is accurate enough: above the error of differences where an energy is
/// differentiated twice.
fn costate(precision: Precision) -> Stopping {
    Stopping {
        tolerance: Some(precision.choose(1e-8, 1e-3)),
        ..precision.stopping()
    }
}
