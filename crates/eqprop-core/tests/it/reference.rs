//! Equilibria and gradients against independent numbers; see `tests/reference/README.md`.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::connection::InitializerConfig;
use eqprop_core::cost::{AnyCost, Cost, CostConfig};
use eqprop_core::energy::{Energy, HopfieldEnergy, HopfieldEnergyConfig, TotalEnergy};
use eqprop_core::gradients::Gradients;
use eqprop_core::relaxation::{Dynamics, Scheme};
use eqprop_core::state::State;
use serde::Deserialize;

use crate::network::{connection, equilibrium, filled, gradients_of, one_hot};
use crate::setup::{Setup, assert_close, distance, values};

/// What `generate.py` does.
const FILE_SCHEME: Scheme = Scheme::GradientFlow { step_size: 0.2 };
const SCHEMES: [Scheme; 4] = [
    FILE_SCHEME,
    Scheme::Asynchronous,
    Scheme::FixedPoint,
    Scheme::GradientFlow { step_size: 0.5 },
];

#[derive(Deserialize)]
struct Array {
    shape: Vec<usize>,
    data: Vec<f64>,
}

#[derive(Deserialize)]
struct Free {
    state: Vec<Array>,
    energy: Array,
    cost: Array,
}

#[derive(Deserialize)]
struct Nudged {
    state: Vec<Array>,
}

type ByName = BTreeMap<String, Array>;

#[derive(Deserialize)]
struct Reference {
    beta: f64,
    sizes: Vec<usize>,
    skip: Option<(usize, usize)>,
    output: String,
    readout: usize,
    params: ByName,
    input: Array,
    labels: Vec<usize>,
    free: Free,
    nudged: BTreeMap<String, Nudged>,
    gradients: BTreeMap<String, ByName>,
}

impl Reference {
    fn read(file: &str) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference");
        let text = std::fs::read_to_string(format!("{folder}/{file}")).expect(file);
        serde_json::from_str(&text).expect(file)
    }

    /// Names of the energy's parameters and of the cost's, in the order of their fields.
    fn names(&self) -> [Vec<String>; 2] {
        let n = self.sizes.len() - 1;
        let skip = self.skip.map(|_| "W_skip".to_owned());
        let weights = (0..n).map(|k| format!("W{k}")).chain(skip);
        let energy = weights.chain((0..n).map(|k| format!("b{k}"))).collect();
        let readout = if self.readout > 0 {
            vec!["W_readout".to_owned(), "b_readout".to_owned()]
        } else {
            vec![]
        };
        [energy, readout]
    }

    /// One list of all numbers, in the order of [`names`](Self::names).
    fn in_order(&self, arrays: &ByName) -> Vec<f64> {
        let names = self.names().concat();
        names
            .iter()
            .flat_map(|name| arrays[name].data.clone())
            .collect()
    }

    fn n_outputs(&self) -> usize {
        self.sizes[self.sizes.len() - 1]
    }

    fn n_classes(&self) -> usize {
        match self.readout {
            0 => self.n_outputs(),
            n_classes => n_classes,
        }
    }

    fn model(&self, setup: &Setup) -> (HopfieldEnergy, AnyCost) {
        let output = match self.output.as_str() {
            "boxed" => Activation::HardSigmoid,
            _ => Activation::Identity,
        };
        let hidden = Activation::HardSigmoid;
        let initializer = InitializerConfig::Glorot;
        let mut config = HopfieldEnergyConfig::dense(&self.sizes, hidden, output, initializer);
        config
            .connections
            .extend(self.skip.map(|(from, to)| connection(from, to)));
        let which = match self.readout {
            0 => CostConfig::SquaredError,
            _ => CostConfig::CrossEntropy,
        };
        let cost = which.init(self.n_outputs(), self.n_classes(), &setup.device);
        let [names, readout] = self.names();
        let energy = self.load(config.init(&setup.device), &names, setup);
        (energy, self.load(cost, &readout, setup))
    }

    fn load<M: Module>(&self, module: M, names: &[String], setup: &Setup) -> M {
        let mut names = names.iter();
        filled(module, setup, |n| {
            let data = &self.params[names.next().expect("a name per parameter")].data;
            assert_eq!(data.len(), n);
            data.clone()
        })
    }

    /// Rest, or within 0.01 of the file's free state: one example of the skip network has
    /// several minima, and from rest only the steps that the file was made with lead to its.
    fn start(&self, rest: &State, scheme: Scheme, setup: &Setup) -> State {
        if self.skip.is_none() || scheme == FILE_SCHEME {
            return rest.clone();
        }
        let near = |(rest, free): (&Tensor<2>, &Array)| {
            setup.tensor(free.data.clone(), rest.dims()) * 0.99 + rest.clone() * 0.01
        };
        State::new(
            rest.layers()
                .iter()
                .zip(&self.free.state)
                .map(near)
                .collect(),
        )
    }

    fn check(&self, setup: &Setup, scheme: Scheme) {
        let what = |of: &str| format!("{of}, {}, {scheme:?}", setup.name);
        let (energy, cost) = self.model(setup);
        let [n, n_inputs] = [self.input.shape[0], self.input.shape[1]];
        let input: Tensor<2> = setup.tensor(self.input.data.clone(), [n, n_inputs]);
        let target = one_hot(setup, &self.labels, self.n_classes());
        let clamped = energy.clamp(&input);
        // Values reach 4 in the linear network: its errors are that much larger.
        let tolerance = 4.0 * setup.tolerance;
        let close = |found: &State, expected: &[Array], of: &str| {
            for (layer, expected) in found.layers().iter().zip(expected) {
                assert_close(&values(layer), &expected.data, tolerance, &what(of));
            }
        };

        let total = TotalEnergy::<_, AnyCost>::free(&energy, &clamped);
        let free = equilibrium(
            &total,
            self.start(&energy.rest(&input), scheme, setup),
            scheme,
            setup,
        );
        close(&free, &self.free.state, "free state");
        let found = values(&total.value(&free));
        assert_close(&found, &self.free.energy.data, tolerance, &what("energy"));
        let found = values(&cost.value(free.output(), &target));
        assert_close(&found, &self.free.cost.data, tolerance, &what("cost"));

        let nudged = |beta: f64, of: &str| {
            let beta = setup.number(beta);
            let total = TotalEnergy::nudged(&energy, &clamped, &cost, &target, beta);
            let state = equilibrium(&total, free.clone(), scheme, setup);
            close(&state, &self.nudged[of].state, of);
            state
        };
        let beta = self.beta;
        let positive = nudged(beta, "positive");
        let negative = nudged(-beta, "negative");

        let estimate = |first: &State, second: &State, difference: f64| {
            let contrast = energy.contrast(&input, first, second, 1.0 / difference);
            let mut readout = Gradients::new();
            cost.gradients(free.output(), &target, &mut readout);
            let lists = [
                gradients_of(&energy, &contrast),
                gradients_of(&cost, &readout),
            ];
            lists.concat().concat()
        };
        let found = [
            ("positive", estimate(&positive, &free, beta)),
            ("negative", estimate(&free, &negative, beta)),
            ("centered", estimate(&positive, &negative, 2.0 * beta)),
        ];
        let expected = |of: &str| self.in_order(&self.gradients[of]);
        // Rounding errors grow with the response of the network, and so does its gradient.
        let largest = expected("centered")
            .iter()
            .fold(1.0, |most: f64, g| most.max(g.abs()));
        // An Euler step smaller than half a unit in the last place moves nothing, so a flow ends
        // 1/(2ε) such units off, where other steps end within one.
        let stall = (0.5 / scheme.step_size()).max(1.0);
        let tolerance = setup.gradient_tolerance * largest * stall;
        for (of, found) in &found {
            assert_close(found, &expected(of), tolerance, &what(of));
        }
        // The estimates must not be able to pass for one another.
        let apart = distance(&found[0].1, &expected("centered"));
        assert!(apart > 10.0 * tolerance, "{}: {apart:e}", what("positive"));
        let flipped: Vec<f64> = found[2].1.iter().map(|g| -g).collect();
        let apart = distance(&flipped, &expected("centered"));
        assert!(apart > 1000.0 * tolerance, "{}: {apart:e}", what("flipped"));
        self.check_gap(&found[2].1, setup);
    }

    /// The centered estimate differs from the exact gradient by some β², not by nothing and
    /// not by some β.
    fn check_gap(&self, centered: &[f64], setup: &Setup) {
        let exact = self.in_order(&self.gradients["exact"]);
        let norm = exact.iter().map(|g| g * g).sum::<f64>().sqrt();
        let gap = centered.iter().zip(&exact).map(|(a, b)| (a - b).powi(2));
        let gap = gap.sum::<f64>().sqrt() / norm;
        // The gaps of the files are 1.0e-4 to 5.4e-4 of the gradient; f32 leaves 3e-5.
        assert!((0.5e-4..1e-3).contains(&gap), "{}: gap {gap:e}", setup.name);
    }
}

fn check(file: &str) {
    let reference = Reference::read(file);
    for setup in Setup::all() {
        for scheme in SCHEMES {
            reference.check(&setup, scheme);
        }
    }
}

#[test]
fn one_hidden_layer_agrees_with_the_reference() {
    check("dense_1_hidden.json");
}

#[test]
fn three_hidden_layers_agree_with_the_reference() {
    check("dense_3_hidden.json");
}

#[test]
fn a_linear_output_agrees_with_the_reference() {
    check("dense_linear_output.json");
}

#[test]
fn a_skip_connection_agrees_with_the_reference() {
    check("dense_skip.json");
}

#[test]
fn a_softmax_readout_agrees_with_the_reference() {
    check("dense_softmax_readout.json");
}
