//! A network with attention that has learned: its phases never raise the energy.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Tensor};
use eqprop_core::cost::AnyCost;
use eqprop_core::energy::{AnyField, TotalEnergy, VectorField};
use eqprop_core::relaxation::Relaxation;
use eqprop_testing::{batch, digits, named_parameters, run, training, values};
use eqprop_train::preset::Preset;

struct Double;

impl ModuleMapper for Double {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        parameter.map(|value| value.cast(DType::F64))
    }
}

#[test]
fn no_step_of_a_trained_network_raises_the_energy() {
    let config = Preset::DigitsAttention.config();
    let phases = config.phases;
    let mut training = training(config, &digits(400, 100));
    let fresh = named_parameters(training.learner());
    run(&mut training, 4);
    let learned = named_parameters(training.learner());
    assert!(fresh.iter().zip(&learned).all(|(a, b)| a.1 != b.1));

    let network = training.learner().network.clone();
    let (energy, cost) = (
        network.energy.map(&mut Double),
        network.cost.map(&mut Double),
    );
    let AnyField::Hopfield(energy) = energy else {
        panic!("not the preset's");
    };
    let batch = batch(20);
    let [input, target] = [&batch.input, &batch.target].map(|of| of.clone().cast(DType::F64));
    let clamped = energy.clamp(&input);
    let free = TotalEnergy::<_, AnyCost>::free(&energy, &clamped);
    let beta = phases.nudging.beta();
    let nudge = |beta: f64| {
        let beta = input.clone().narrow(0, 0, 1).narrow(1, 0, 1) * 0.0 + beta;
        TotalEnergy::nudged(&energy, &clamped, &cost, &target, beta)
    };
    let check =
        |total: &TotalEnergy<'_, _, AnyCost>, relaxation: &Relaxation, start, what: &str| {
            let mut before: Option<Vec<f64>> = None;
            let mut fell = 0.0_f64;
            let relaxed = relaxation.relax_observed(total, start, |step, state| {
                let after = values(&total.value(state));
                if let Some(before) = before.replace(after.clone()) {
                    for (before, after) in before.iter().zip(&after) {
                        // Roundings of some hundred terms.
                        let rise = after - before;
                        assert!(rise <= 1e-11, "{what}, step {step}: {rise:e}");
                        fell = fell.max(-rise);
                    }
                }
            });
            assert!(fell > 1e-3, "{what}: nothing fell");
            relaxed.state
        };
    let state = check(&free, &phases.free(), energy.rest(&input), "free");
    for beta in [beta, -beta] {
        check(&nudge(beta), &phases.nudged(), state.clone(), "nudged");
    }
}
