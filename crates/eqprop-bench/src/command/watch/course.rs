//! How an input relaxes, step by step.

use anyhow::{Result, bail};
use burn::tensor::{Tensor, TensorData};
use eqprop_core::cost::AnyCost;
use eqprop_core::energy::{AnyField, TotalEnergy, VectorField};
use eqprop_core::relaxation::{Dynamics, Relaxation, Scheme};
use eqprop_core::state::State;
use serde_json::{Value, json};

use super::contrast;
use super::question::Relax;
use super::watched::{MOST_UNITS, Watched};
use crate::output::check_finite;

/// The most steps of a phase.
const MOST_STEPS: usize = 300;
/// The most numbers in an answer.
const MOST_NUMBERS: usize = 2_000_000;

/// The free phase of an input, and from there the nudged one if a class is given.
///
/// # Errors
/// If the input is none of this network, there is no such class, β cannot be borne, or a state is not finite.
pub fn follow(watched: &Watched, relax: &Relax) -> Result<Value> {
    let input = watched.input(&relax.pixels)?;
    let (network, config) = (&watched.run.learner.network, &watched.run.config);
    let (energy, cost) = (&network.energy, &network.cost);
    let estimator = config.estimator();
    let units = energy.layers().iter();
    let shown: usize = units.map(|layer| layer.n_units().min(MOST_UNITS)).sum();
    let most_steps = (MOST_NUMBERS / 2 / shown.max(1)).clamp(1, MOST_STEPS);
    let steps = |phase: &Relaxation<Scheme>| phase.stopping.max_steps.min(most_steps);

    let clamped = energy.clamp(&input);
    let total = TotalEnergy::<AnyField, AnyCost>::free(energy, &clamped);
    let start = network.start(&input, &clamped);
    let (free, steps_of_free) = phase(
        &total,
        estimator.free.dynamics,
        steps(&estimator.free),
        start,
        |state| energy.energy_of(&clamped, state),
    )?;
    let scores = network.scores(&clamped, &free);
    let scores: Vec<f64> = scores.into_data().iter::<f64>().collect();
    check_finite("score", scores.iter().copied())?;
    let mut answer = json!({ "free": steps_of_free, "scores": scores });

    if let Some(class) = relax.target {
        let n_classes = config.data.dataset.n_classes();
        if class >= n_classes {
            bail!(
                "there are classes 0 to {}, but {class} was asked for",
                n_classes - 1
            );
        }
        if !(relax.beta.is_finite() && relax.beta != 0.0) {
            bail!("β must be a number other than 0, but is {}", relax.beta);
        }
        network.check_beta(relax.beta)?;
        let device = input.device();
        let mut one_hot = vec![0.0_f32; n_classes];
        one_hot[class] = 1.0;
        let target = Tensor::from_data(TensorData::new(one_hot, [1, n_classes]), &device);
        let beta = Tensor::from_data([[relax.beta]], &device);
        let total = TotalEnergy::nudged(energy, &clamped, cost, &target, beta);
        let (nudged, steps_of_nudged) = phase(
            &total,
            estimator.nudged.dynamics,
            steps(&estimator.nudged),
            free.clone(),
            |state| energy.energy_of(&clamped, state),
        )?;
        let gradients = energy.contrast(&clamped, &nudged, &free, 1.0 / relax.beta);
        answer["nudged"] = steps_of_nudged;
        answer["contrast"] = contrast::pictures(watched, &gradients);
    }
    Ok(answer)
}

/// One phase: where it ends, and what each step is like.
fn phase(
    total: &TotalEnergy<'_, AnyField, AnyCost>,
    dynamics: Scheme,
    n_steps: usize,
    start: State,
    energy_of: impl Fn(&State) -> Option<Tensor<1>>,
) -> Result<(State, Value)> {
    let mut before: Option<State> = None;
    let mut steps = Vec::new();
    let mut numbers = Vec::new();
    let relaxed = Relaxation::steps(dynamics, n_steps).relax_observed(total, start, |_, state| {
        let number = |value: Tensor<1>| value.into_scalar::<f64>();
        let energy = energy_of(state).map(number);
        let residual = before
            .as_ref()
            .map(|before| number(dynamics.residual(total, before, state)));
        numbers.extend(energy.into_iter().chain(residual));
        steps.push(json!({
            "energy": energy,
            "residual": residual,
            "layers": state.layers().iter().map(shown).collect::<Vec<_>>(),
        }));
        before = Some(state.clone());
    });
    check_finite("energy or residual", numbers)?;
    Ok((relaxed.state, steps.into()))
}

/// The units of a layer that are shown.
fn shown(layer: &Tensor<2>) -> Vec<f32> {
    let values = layer.clone().into_data();
    values.iter::<f32>().take(MOST_UNITS).collect()
}
