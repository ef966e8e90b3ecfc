//! Follows the relaxation of an input, step by step.

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

/// The most steps shown per phase.
const MOST_STEPS: usize = 300;
/// The most numbers in an answer.
const MOST_NUMBERS: usize = 2_000_000;

/// Follows the free phase of an input and, if a class is given, the nudged phase that starts from its end.
///
/// # Errors
/// If the input does not fit the network, there is no such class, β is not allowed, or a state is not finite.
pub fn follow(watched: &Watched, relax: &Relax) -> Result<Value> {
    let input = watched.input(&relax.pixels)?;
    let (network, config) = (&watched.run.learner.network, &watched.run.config);
    let (energy, cost) = (&network.energy, &network.cost);
    let estimator = config.estimator();
    let units = energy.layers().iter();
    let shown: usize = units.map(|layer| layer.n_units().min(MOST_UNITS)).sum();
    let most_steps = (MOST_NUMBERS / 2 / shown.max(1)).clamp(1, MOST_STEPS);
    let clamped = energy.clamp(&input);
    let of_state = |state: &State| {
        (
            energy.energy_of(&clamped, state),
            network.scores(&clamped, state),
        )
    };
    let total = TotalEnergy::<AnyField, AnyCost>::free(energy, &clamped);
    let start = network.start(&input, &clamped);
    let (free, steps) = phase(&total, estimator.free, most_steps, start, of_state)?;
    let mut answer = json!({ "free": steps });

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
        let start = free.clone();
        let (nudged, steps) = phase(&total, estimator.nudged, most_steps, start, of_state)?;
        let gradients = energy.contrast(&clamped, &nudged, &free, 1.0 / relax.beta);
        answer["nudged"] = steps;
        answer["contrast"] = contrast::pictures(watched, &gradients);
    }
    Ok(answer)
}

/// Follows one phase: returns its final state, and a description of its start, of about
/// `most_steps` of its steps, and of the last. `of_state` computes the energy of a state and the scores of its classes.
fn phase(
    total: &TotalEnergy<'_, AnyField, AnyCost>,
    relaxation: Relaxation<Scheme>,
    most_steps: usize,
    start: State,
    of_state: impl Fn(&State) -> (Option<Tensor<1>>, Tensor<2>),
) -> Result<(State, Value)> {
    let every = relaxation.stopping.max_steps.div_ceil(most_steps);
    let mut steps = Vec::new();
    let mut numbers = Vec::new();
    let mut show = |step: usize, before: Option<&State>, state: &State| {
        let number = |value: Tensor<1>| value.into_scalar::<f64>();
        let (energy, scores) = of_state(state);
        let energy = energy.map(number);
        let scores: Vec<f64> = scores.into_data().iter::<f64>().collect();
        let residual =
            before.map(|before| number(relaxation.dynamics.residual(total, before, state)));
        numbers.extend(energy.into_iter().chain(residual));
        numbers.extend(&scores);
        steps.push(json!({
            "step": step,
            "energy": energy,
            "residual": residual,
            "scores": scores,
            "layers": state.layers().iter().map(shown).collect::<Vec<_>>(),
        }));
    };
    // The states before and after the latest step.
    let mut latest: [Option<State>; 2] = [None, None];
    let relaxed = relaxation.relax_observed(total, start, |step, state| {
        latest = [latest[1].take(), Some(state.clone())];
        if step.is_multiple_of(every) {
            show(step, latest[0].as_ref(), state);
        }
    });
    if !relaxed.n_steps.is_multiple_of(every) {
        show(relaxed.n_steps, latest[0].as_ref(), &relaxed.state);
    }
    check_finite("energy, residual or a score", numbers)?;
    Ok((relaxed.state, steps.into()))
}

/// Returns the units of a layer that are shown.
fn shown(layer: &Tensor<2>) -> Vec<f32> {
    let values = layer.clone().into_data();
    values.iter::<f32>().take(MOST_UNITS).collect()
}
