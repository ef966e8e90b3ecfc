//! Configurations, records, and the theorem.

use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::cost::{AnyCost, Cost, CostConfig};
use eqprop_core::energy::{
    Energy, LayerConfig, ResistiveNetwork, ResistiveNetworkConfig, TotalEnergy, VectorField,
};
use eqprop_core::error::ConfigError;
use eqprop_core::relaxation::Scheme;
use eqprop_core::state::State;
use eqprop_testing::{
    Numbers, Setup, assert_close, cost, distance, equilibrium, fourth_order_differences,
    gradients_in, norm, parameters, residual, values,
};

use super::{BATCH, Circuit};
use crate::devices;

const SIZES: [usize; 4] = [2, 6, 4, 3];

struct Problem {
    circuit: Circuit,
    cost: AnyCost,
    target: Tensor<2>,
}

impl Problem {
    fn new(which: CostConfig, seed: u64) -> Self {
        let setup = Setup::double();
        Self {
            circuit: Circuit::new(&SIZES, &setup, seed),
            cost: cost(which, SIZES[3], &setup, 1.0, 2),
            target: setup.one_hot(&[0, 1, 2], SIZES[3]),
        }
    }

    fn relax(&self, network: &ResistiveNetwork, beta: f64, start: State) -> State {
        let setup = Setup::double();
        let clamped = network.clamp(&self.circuit.input);
        let beta = setup.number(beta);
        let total = TotalEnergy::nudged(network, &clamped, &self.cost, &self.target, beta);
        equilibrium(&total, start, Scheme::Asynchronous, &setup)
    }

    fn free(&self) -> State {
        let network = &self.circuit.network;
        self.relax(network, 0.0, network.rest(&self.circuit.input))
    }

    /// The estimate from the equilibria at two nudging factors.
    fn estimate(&self, free: &State, [first, second]: [f64; 2]) -> Vec<f64> {
        let network = &self.circuit.network;
        let [a, b] = [first, second].map(|beta| self.relax(network, beta, free.clone()));
        let scale = 1.0 / (first - second);
        let gradients = network.contrast(&network.clamp(&self.circuit.input), &a, &b, scale);
        gradients_in(network, &gradients).concat()
    }

    /// The gradient of the mean cost at the free equilibrium, by differences of the whole procedure.
    fn exact(&self, free: &State) -> Vec<f64> {
        let differences = fourth_order_differences(&self.circuit.network, |network| {
            let relaxed = self.relax(network, 0.0, free.clone());
            let cost = self.cost.value(relaxed.output(), &self.target);
            cost.mean().into_scalar::<f64>()
        });
        differences.concat()
    }
}

/// Between two switches of its diodes a circuit is linear, and its equilibria are smooth in β.
#[test]
fn estimates_have_order_one_and_two_in_beta() {
    for which in [CostConfig::SquaredError, CostConfig::CrossEntropy] {
        let problem = Problem::new(which, 1);
        let free = problem.free();
        let exact = problem.exact(&free);
        let size = norm(&exact);
        for (name, order, betas) in [
            (
                "one-sided",
                1.0,
                (|beta| [beta, 0.0]) as fn(f64) -> [f64; 2],
            ),
            ("centered", 2.0, |beta| [beta, -beta]),
        ] {
            let at = |beta| residual(&problem.estimate(&free, betas(beta)), &exact);
            let (small, large) = (at(0.005), at(0.02));
            let what = format!("{name}, {which:?}: {small:e} and {large:e} of {size}");
            // The differences' own error is a hundredth of the least error looked at.
            assert!(small > 1e-8 && large < 0.1 * size, "{what}");
            let slope = (large / small).ln() / 4f64.ln();
            // Slopes 1 and 2 are 1 apart.
            assert!((slope - order).abs() < 0.1, "slope {slope}, {what}");
        }
        let flipped: Vec<f64> = problem.estimate(&free, [-0.01, 0.01]);
        let flipped: Vec<f64> = flipped.iter().map(|g| -g).collect();
        assert!(residual(&flipped, &exact) > 1.9 * size);
    }
}

#[test]
fn new_conductances_are_not_negative_and_half_of_them_are_zero() {
    for setup in devices::all() {
        let network = ResistiveNetworkConfig::dense(&[50, 30, 10]).init(&setup.device);
        let lists = parameters(&network);
        for (conductances, n_in) in lists[..2].iter().zip([100.0f64, 30.0]) {
            let bound = 1.0 / n_in.sqrt();
            let within = conductances.iter().all(|g| (0.0..=bound).contains(g));
            assert!(within, "{}", setup.name);
            let n_zero = conductances.iter().filter(|g| **g == 0.0).count();
            let share = n_zero as f64 / conductances.len() as f64;
            // 300 coins are within 0.15 of the half with 5 deviations.
            assert!((share - 0.5).abs() < 0.15, "{share}");
        }
        assert!(lists[2..].concat().iter().all(|b| *b == 0.0));
    }
}

#[test]
fn a_network_loaded_from_its_record_has_the_same_energies() {
    for setup in devices::all() {
        let saved = Circuit::new(&SIZES, &setup, 3);
        let fresh = Circuit::new(&SIZES, &setup, 4).network;
        let state = Numbers(5).state(fresh.layers(), &setup, BATCH);
        let energies = |network: &ResistiveNetwork| {
            values(&network.energy(&network.clamp(&saved.input), &state))
        };
        assert!(distance(&energies(&fresh), &energies(&saved.network)) > 0.1);
        let record = saved.network.clone().into_record();
        let bytes = record.into_bytes().expect("a record can be written");
        let record = ModuleRecord::from_bytes(bytes).expect("and read");
        let loaded = fresh.load_record(record);
        assert_eq!(parameters(&loaded), parameters(&saved.network));
        assert_eq!(energies(&loaded), energies(&saved.network));
    }
}

#[test]
fn a_configuration_that_cannot_work_says_why() {
    let diodes = |size| LayerConfig::new(size, Activation::Diode);
    let config = ResistiveNetworkConfig::new(2, vec![diodes(4), diodes(2)]);
    assert_eq!(config.validate(), Ok(()));
    let text = serde_json::to_string(&config).expect("plain fields");
    let read: ResistiveNetworkConfig = serde_json::from_str(&text).expect("as written");
    assert_eq!(read, config);

    let refused = |config: ResistiveNetworkConfig| config.validate().expect_err("refused");
    let none = ResistiveNetworkConfig::new(2, Vec::new());
    assert_eq!(refused(none), ConfigError::NoLayers);
    let smooth = LayerConfig::new(2, Activation::Tanh);
    let smooth = ResistiveNetworkConfig::new(2, vec![diodes(4), smooth]);
    let found = refused(smooth);
    assert!(matches!(
        found,
        ConfigError::UnfitActivation { layer: 2, .. }
    ));
    assert!(found.to_string().contains("layer 2 has Tanh"), "{found}");
    for (config, message) in [
        (
            config.clone().with_input_gain(0.0),
            "input_gain must be a positive number, but is 0",
        ),
        (
            ResistiveNetworkConfig::new(0, vec![diodes(2)]),
            "input size must be at least 1, but is 0",
        ),
        (
            ResistiveNetworkConfig::new(2, vec![diodes(0)]),
            "layer size must be at least 1, but is 0",
        ),
    ] {
        assert_eq!(refused(config).to_string(), message);
    }
}

#[test]
fn a_layer_is_grouped_with_those_that_it_has_no_resistors_to() {
    let groups = |sizes: &[usize]| {
        let network = ResistiveNetworkConfig::dense(sizes).init(&Setup::double().device);
        network.groups().to_vec()
    };
    assert_eq!(groups(&[1, 2]), [vec![0]]);
    assert_eq!(groups(&[1, 2, 2, 2]), [vec![0, 2], vec![1]]);
}

/// Complex states would need the curvature in the nudge.
#[test]
#[should_panic(expected = "complex states need an energy of curvature 1")]
fn complex_states_are_refused() {
    let setup = Setup::double();
    let circuit = Circuit::linear(&[2, 3], &setup, 6);
    let clamped = circuit
        .network
        .repeat(&circuit.network.clamp(&circuit.input), 2);
    let (cost, target) = (
        eqprop_core::cost::SquaredError,
        setup.one_hot(&[0, 1, 2], 3),
    );
    let beta = [
        setup.tensor(vec![0.1; 3], [3, 1]),
        setup.tensor(vec![0.1; 3], [3, 1]),
    ];
    TotalEnergy::holomorphic(&circuit.network, &clamped, &cost, &target, beta);
}

/// The contrast of a batch is the mean over its examples.
#[test]
fn duplicating_the_batch_leaves_the_contrast() {
    let setup = Setup::double();
    let circuit = Circuit::new(&SIZES, &setup, 7);
    let mut numbers = Numbers(8);
    let layers = circuit.network.layers();
    let [first, second] = [(); 2].map(|()| numbers.state(layers, &setup, BATCH));
    let contrast = |n: usize| {
        let input = circuit.input.clone().repeat_dim(0, n);
        let (first, second) = (first.repeat(n), second.repeat(n));
        let gradients =
            circuit
                .network
                .contrast(&circuit.network.clamp(&input), &first, &second, 1.0);
        gradients_in(&circuit.network, &gradients).concat()
    };
    assert_close(&contrast(3), &contrast(1), 1e-13, "mean");
}
