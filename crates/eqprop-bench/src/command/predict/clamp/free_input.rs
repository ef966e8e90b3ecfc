//! Treats the input of a trained network as part of its energy.

use anyhow::{Result, bail};
use eqprop_core::activation::Activation;
use eqprop_core::cost::CostConfig;
use eqprop_core::energy::{AnyField, HopfieldEnergy, LayerConfig, PartlyClamped, VectorField};
use eqprop_train::data::TargetKind;

use crate::run::TrainedRun;

/// Builds the network of a run as an energy of input, hidden layers and output, where input and output are
/// visible.
///
/// # Errors
/// If there is no such energy; gives the reason.
pub fn with_free_input(run: &TrainedRun) -> Result<PartlyClamped<HopfieldEnergy>> {
    match run.config.data.dataset.target_kind() {
        None => {}
        Some(TargetKind::Quantities(_)) => {
            bail!("--clamp is for classes, and this network learned quantities")
        }
        Some(TargetKind::Labels(_)) => {
            bail!("--clamp is for classes, and this network learned several labels at once")
        }
    }
    let network = &run.learner.network;
    let field = match &network.energy {
        AnyField::Hopfield(energy) => energy.clone(),
        AnyField::Untied(_) => bail!(
            "the input of this network cannot relax: its model is \"untied\", and without an energy nothing \
             leads back to the input; train with the model \"hopfield\""
        ),
        AnyField::PredictiveCoding(_) => bail!(
            "the input of this network cannot relax: its model is \"predictive_coding\", where any input is \
             an equilibrium with its own prediction; train with the model \"hopfield\""
        ),
        AnyField::Resistive(_) => bail!(
            "the input of this network cannot relax: its model is \"resistive\", where each value is a pair \
             of voltage sources; train with the model \"hopfield\""
        ),
        AnyField::Oscillators(_) => bail!(
            "the input of this network cannot relax: its model is \"oscillators\", where the input is fields that \
             act on phases; train with the model \"hopfield\""
        ),
    };
    if run.config.network.cost != CostConfig::SquaredError {
        bail!(
            "the classes of this network cannot be clamped: with the cost \"cross_entropy\" they are read out \
             and are no units of it; train with the cost \"squared_error\""
        );
    }
    if run.config.data.normalize || !run.config.data.dataset.has_pixels() {
        bail!(
            "the input of this network cannot relax: it was trained on normalized images or on other numbers, \
             and no unit has their range; train on images with data.normalize=false"
        );
    }
    let input = LayerConfig::new(run.config.energy().input, Activation::HardSigmoid);
    let free = field.with_free_input(input);
    let output = free.layers().len() - 1;
    Ok(PartlyClamped::new(free, [0, output]))
}
