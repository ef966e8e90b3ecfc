//! Residual blocks, factors and both ways to a minimum against independent float64 numbers, see
//! `tests/reference/deep.py`.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::connection::{ConnectionKind, InitializerConfig};
use eqprop_core::cost::SquaredError;
use eqprop_core::energy::{
    Energy, HopfieldEnergyConfig, Parametrization, PredictiveCoding, PredictiveCodingConfig,
    TotalEnergy, VectorField,
};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_testing::{
    Array, ByName, Equilibrium, Lists, Setup, assert_agrees, assert_close, filled, flat,
    gradients_in, joined, read_reference, relative_error, values,
};
use serde::Deserialize;

const FILES: [&str; 3] = ["deep_residual.json", "deep_mixed.json", "deep_chain.json"];
/// Iterations that converge to 1e-15 in `f64`, in sums of some ten terms.
const TOLERANCE: f64 = 1e-12;

#[derive(Deserialize)]
struct Deep {
    sizes: Vec<usize>,
    hidden: Activation,
    /// The layers that an identity leads to, counted from the input as 0.
    residual: Vec<usize>,
    beta: f64,
    params: ByName,
    input: Array,
    labels: Vec<usize>,
    free: Vec<Array>,
    elsewhere: Elsewhere,
    nudged: BTreeMap<String, Equilibrium>,
    descended: BTreeMap<String, Vec<Array>>,
    gradients: BTreeMap<String, ByName>,
}

#[derive(Deserialize)]
struct Elsewhere {
    state: Vec<Array>,
    energy: Array,
    slopes: Vec<Array>,
    gradients: ByName,
}

impl Deep {
    fn energy(&self, setup: &Setup) -> PredictiveCoding {
        let any = InitializerConfig::Glorot;
        let output = Activation::Identity;
        let mut chain = HopfieldEnergyConfig::dense(&self.sizes, self.hidden, output, any);
        let blocks = self.residual.iter();
        let blocks = blocks.map(|&to| joined(to - 1, to, ConnectionKind::Identity));
        chain.connections.extend(blocks);
        let config = PredictiveCodingConfig::new(chain);
        let config = config.with_parametrization(Parametrization::MuPc);
        let mut lists = self.lists(&self.params).into_iter();
        filled(config.init(&setup.device), setup, |_| {
            lists.next().expect("a list for each parameter")
        })
    }

    /// In the order of the fields.
    fn lists(&self, arrays: &ByName) -> Lists {
        let layers = 0..self.sizes.len() - 1;
        let weights = layers.clone().map(|layer| format!("W{layer}"));
        let names = weights.chain(layers.map(|layer| format!("b{layer}")));
        names.map(|name| arrays[&name].data.clone()).collect()
    }

    fn state(arrays: &[Array], setup: &Setup) -> State {
        let layer =
            |array: &Array| setup.tensor(array.data.clone(), [array.shape[0], array.shape[1]]);
        State::new(arrays.iter().map(layer).collect())
    }

    /// Calls `check` with the network, its input and its target.
    fn for_each(check: impl Fn(&Self, &PredictiveCoding, [Tensor<2>; 2], &str)) {
        let setup = Setup::double();
        for file in FILES {
            let deep: Self = read_reference(file);
            let n_outputs = *deep.sizes.last().expect("an output");
            let input = setup.tensor(deep.input.data.clone(), [deep.labels.len(), deep.sizes[0]]);
            let target = setup.one_hot(&deep.labels, n_outputs);
            check(&deep, &deep.energy(&setup), [input, target], file);
        }
    }
}

fn concatenated(arrays: &[Array]) -> Vec<f64> {
    let lists = arrays.iter().map(|array| array.data.clone());
    lists.collect::<Vec<_>>().concat()
}

#[test]
fn energy_drives_and_slopes_are_those_of_automatic_differentiation() {
    Deep::for_each(|deep, energy, [input, _], what| {
        let setup = Setup::double();
        let clamped = energy.clamp(&input);
        let state = Deep::state(&deep.elsewhere.state, &setup);
        let found = values(&energy.energy(&clamped, &state));
        assert_close(&found, &deep.elsewhere.energy.data, 1e-11, what);
        for (layer, slope) in deep.elsewhere.slopes.iter().enumerate() {
            let drive = energy.drive(layer, &clamped, &state);
            let found = values(&(state.layer(layer).clone() - drive));
            assert_close(&found, &slope.data, TOLERANCE, what);
        }
        let free = energy.start(&input, &clamped);
        assert_close(&flat(&free), &concatenated(&deep.free), TOLERANCE, what);
        let pass = energy.forward(&input);
        assert_close(&flat(&pass), &concatenated(&deep.free), TOLERANCE, what);
        // The forward pass has no slope.
        let expected = deep.lists(&deep.elsewhere.gradients);
        for (first, second, sign) in [(&state, &free, 1.0), (&free, &state, -1.0)] {
            let found = energy.contrast(&clamped, first, second, sign);
            assert_agrees(&gradients_in(energy, &found), &expected, TOLERANCE, what);
        }
        let both = energy.contrast(&clamped, &state, &pass, 1.0);
        assert_agrees(&gradients_in(energy, &both), &expected, TOLERANCE, what);
    });
}

#[test]
fn descent_in_errors_and_in_states_reaches_the_same_minima() {
    Deep::for_each(|deep, energy, [input, target], what| {
        let setup = Setup::double();
        let clamped = energy.clamp(&input);
        let estimate = |scheme| {
            let [first, second] = [("positive", 1.0), ("negative", -1.0)].map(|(name, sign)| {
                let beta = setup.number(sign * deep.beta);
                let total = TotalEnergy::nudged(energy, &clamped, &SquaredError, &target, beta);
                let start = energy.start(&input, &clamped);
                let relaxation = Relaxation::steps(scheme, 3000).with_tolerance(1e-14);
                let state = relaxation.relax(&total, start).state;
                let (what, expected) = (format!("{what}, {scheme}"), &deep.nudged[name]);
                let layers = concatenated(&expected.state);
                assert_close(&flat(&state), &layers, TOLERANCE, &what);
                let found = values(&energy.energy(&clamped, &state));
                let expected = expected.energy.as_ref().expect("of each minimum");
                assert_close(&found, &expected.data, TOLERANCE, &what);
                assert!(
                    found.iter().all(|energy| *energy > 1e6 * TOLERANCE),
                    "{what}"
                );
                state
            });
            let scale = 0.5 / deep.beta;
            gradients_in(energy, &energy.contrast(&clamped, &first, &second, scale))
        };
        let expected = deep.lists(&deep.gradients["centered"]);
        for scheme in [
            Scheme::ErrorDescent { step_size: 1.0 },
            Scheme::ErrorDescent { step_size: 0.4 },
            Scheme::GradientFlow { step_size: 0.3 },
        ] {
            // Divided by β.
            assert_agrees(&estimate(scheme), &expected, 20.0 * TOLERANCE, what);
        }
        let exact = deep.lists(&deep.gradients["exact"]).concat();
        let gap = relative_error(&expected.concat(), &exact);
        assert!((1e-4..3e-2).contains(&gap), "{what}: {gap:e}");
    });
}

#[test]
fn a_step_in_the_errors_is_one_of_gradient_descent() {
    Deep::for_each(|deep, energy, [input, target], what| {
        let setup = Setup::double();
        let clamped = energy.clamp(&input);
        let start = energy.start(&input, &clamped);
        let beta = setup.number(deep.beta);
        let nudged = TotalEnergy::nudged(energy, &clamped, &SquaredError, &target, beta);
        let held = TotalEnergy::<_, SquaredError>::output_clamped(energy, &clamped, target.clone());
        let mut at_target = start.clone();
        at_target.set(deep.sizes.len() - 2, target);
        for (name, total, start, n_steps) in [
            ("one", &nudged, &start, 1),
            ("three", &nudged, &start, 3),
            ("held", &held, &at_target, 3),
        ] {
            let scheme = Scheme::ErrorDescent { step_size: 0.5 };
            let relaxed = Relaxation::steps(scheme, n_steps).relax(total, start.clone());
            let expected = concatenated(&deep.descended[name]);
            let found = flat(&relaxed.state);
            assert_close(&found, &expected, TOLERANCE, &format!("{what}, {name}"));
            assert!(relative_error(&found, &flat(start)) > 1e-4);
        }
    });
}
