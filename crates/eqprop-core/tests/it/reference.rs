//! Equilibria and gradients against independent numbers; see `tests/reference/README.md`.

mod attention;
mod convolution;
mod dense;

use std::cell::Cell;
use std::ops::Range;

use burn::module::Module;
use burn::tensor::DType;
use eqprop_core::cost::{AnyCost, Cost, CostConfig};
use eqprop_core::energy::{HopfieldEnergy, HopfieldEnergyConfig, TotalEnergy, VectorField};
use eqprop_core::gradients::Gradients;
use eqprop_core::relaxation::{Dynamics, Scheme};
use eqprop_core::state::State;
use eqprop_testing::{
    Array, ByName, Reference, Setup, assert_close, distance, equilibrium_within, filled,
    gradients_in, largest, read_reference, relative_error, values,
};

use crate::devices;

/// The scheme of `generate.py`.
const FILE_SCHEME: Scheme = Scheme::GradientFlow { step_size: 0.2 };
const SCHEMES: [Scheme; 4] = [
    FILE_SCHEME,
    Scheme::Asynchronous,
    Scheme::FixedPoint,
    Scheme::GradientFlow { step_size: 0.5 },
];

/// The network of a file, and how close to its numbers a relaxation can come.
struct Model {
    config: HopfieldEnergyConfig,
    /// Names of the energy's parameters, in the order of its fields.
    names: Vec<String>,
    cost: CostConfig,
    n_classes: usize,
    /// Names of the cost's parameters, in the order of its fields.
    readout: Vec<String>,
    /// The schemes that reach the file's equilibria, with the initial states from which they do.
    schemes: Vec<(Scheme, Start)>,
    /// The largest number of steps that the slowest of them takes.
    max_steps: usize,
    /// Errors of states and of gradients, in multiples of the tolerances of [`Setup`].
    state_errors: f64,
    gradient_errors: f64,
    /// The largest error of the file's states.
    file_error: f64,
    /// The distance of the centered estimate from the exact gradient, relative to it.
    gap: Range<f64>,
}

/// The initial state of a free phase.
#[derive(Clone, Copy)]
enum Start {
    Rest,
    /// Within 0.01 of the file's free state.
    NearIt,
}

impl Model {
    /// Compares with `file` in every way, on every device.
    fn check(&self, file: &str) {
        let reference: Reference = read_reference(file);
        for &(scheme, start) in &self.schemes {
            // In f32 the last digit may go back and forth for ever: it gets the steps that f64 needs.
            let mut max_steps = self.max_steps;
            for setup in devices::all() {
                // On a GPU a flow in longer steps takes the same kernels, and fewer of them.
                if scheme == FILE_SCHEME && !devices::is_a_processor(&setup) {
                    continue;
                }
                let run = Run {
                    model: self,
                    reference: &reference,
                    setup: &setup,
                    scheme,
                    max_steps,
                    n_steps: Cell::new(0),
                };
                run.check(start);
                if setup.dtype == DType::F64 {
                    max_steps = run.n_steps.get();
                }
            }
        }
    }
}

/// One comparison.
struct Run<'a> {
    model: &'a Model,
    reference: &'a Reference,
    setup: &'a Setup,
    scheme: Scheme,
    max_steps: usize,
    /// The steps of the slowest relaxation until now.
    n_steps: Cell<usize>,
}

impl Run<'_> {
    fn what(&self, of: &str) -> String {
        format!("{of}, {}, {:?}", self.setup.name, self.scheme)
    }

    /// One list of all numbers, in the order of the parameters.
    fn in_order(&self, arrays: &ByName) -> Vec<f64> {
        let names = self.model.names.iter().chain(&self.model.readout);
        names.flat_map(|name| arrays[name].data.clone()).collect()
    }

    fn load<M: Module>(&self, module: M, names: &[String]) -> M {
        let mut names = names.iter();
        filled(module, self.setup, |n| {
            let name = names.next().expect("a name per parameter");
            let data = &self.reference.params[name].data;
            assert_eq!(data.len(), n, "{name}");
            data.clone()
        })
    }

    fn load_model(&self) -> (HopfieldEnergy, AnyCost) {
        let Model { config, cost, .. } = self.model;
        let device = &self.setup.device;
        let n_outputs = config.layers[config.layers.len() - 1].n_units();
        let cost = cost.init(n_outputs, self.model.n_classes, device);
        (
            self.load(config.init(device), &self.model.names),
            self.load(cost, &self.model.readout),
        )
    }

    fn start(&self, rest: State, start: Start) -> State {
        match start {
            Start::Rest => rest,
            Start::NearIt => self.reference.near_free_state(&rest, self.setup),
        }
    }

    fn relax<C: Cost>(&self, total: &TotalEnergy<'_, HopfieldEnergy, C>, start: State) -> State {
        let relaxed = equilibrium_within(self.max_steps, total, start, self.scheme, self.setup);
        self.n_steps.set(self.n_steps.get().max(relaxed.n_steps));
        relaxed.state
    }

    fn check(&self, start: Start) {
        let Self {
            model,
            reference,
            setup,
            ..
        } = self;
        let (energy, cost) = self.load_model();
        let input = reference.input(setup);
        let target = setup.one_hot(&reference.labels, model.n_classes);
        let clamped = energy.clamp(&input);
        let tolerance = model.state_errors * setup.tolerance + model.file_error;
        let close = |found: &State, expected: &[Array], of: &str| {
            for (layer, expected) in found.layers().iter().zip(expected) {
                assert_close(&values(layer), &expected.data, tolerance, &self.what(of));
            }
        };

        let total = TotalEnergy::<_, AnyCost>::free(&energy, &clamped);
        let free = self.relax(&total, self.start(energy.rest(&input), start));
        close(&free, &reference.free.state, "free state");
        for (found, expected, of) in [
            (total.value(&free), &reference.free.energy, "energy"),
            (
                cost.value(free.output(), &target),
                &reference.free.cost,
                "cost",
            ),
        ] {
            let expected = expected.as_ref().expect("the file has it");
            assert_close(&values(&found), &expected.data, tolerance, &self.what(of));
        }

        let nudged = |beta: f64, of: &str| {
            let beta = setup.number(beta);
            let total = TotalEnergy::nudged(&energy, &clamped, &cost, &target, beta);
            let state = self.relax(&total, free.clone());
            close(&state, &reference.nudged[of].state, of);
            state
        };
        let beta = reference.beta;
        let positive = nudged(beta, "positive");
        let negative = nudged(-beta, "negative");

        let estimate = |first: &State, second: &State, difference: f64| {
            let contrast = energy.contrast(&energy.clamp(&input), first, second, 1.0 / difference);
            let mut readout = Gradients::new();
            cost.gradients(free.output(), &target, &mut readout);
            let lists = [
                gradients_in(&energy, &contrast),
                gradients_in(&cost, &readout),
            ];
            lists.concat().concat()
        };
        let found = [
            ("positive", estimate(&positive, &free, beta)),
            ("negative", estimate(&free, &negative, beta)),
            ("centered", estimate(&positive, &negative, 2.0 * beta)),
        ];
        self.check_gradients(&found);
    }

    fn check_gradients(&self, found: &[(&str, Vec<f64>); 3]) {
        let expected = |of: &str| self.in_order(&self.reference.gradients[of]);
        let centered = expected("centered");
        // Rounding errors grow with the response of the network, and so does its gradient.
        let largest = largest(&centered).max(1.0);
        let file_error = self.model.file_error / self.reference.beta;
        let own_error = self.model.gradient_errors * self.setup.gradient_tolerance;
        // An Euler step smaller than half a unit in the last place moves nothing, so a flow ends
        // 1/(2ε) such units off, where other steps end within one.
        let stall = (0.5 / self.scheme.step_size()).max(1.0);
        let tolerance = (own_error * stall + file_error) * largest;
        for (of, found) in found {
            assert_close(found, &expected(of), tolerance, &self.what(of));
        }
        // The estimates must not be able to pass for one another.
        let apart = distance(&found[0].1, &centered);
        let what = self.what("positive");
        assert!(apart > 10.0 * tolerance, "{what}: {apart:e}");
        let flipped: Vec<f64> = found[2].1.iter().map(|g| -g).collect();
        let apart = distance(&flipped, &centered);
        let what = self.what("flipped");
        assert!(apart > 1000.0 * tolerance, "{what}: {apart:e}");
        self.check_gap(&found[2].1);
    }

    /// The centered estimate differs from the exact gradient by a term in β², neither by nothing nor by
    /// a term in β.
    fn check_gap(&self, centered: &[f64]) {
        let exact = self.in_order(&self.reference.gradients["exact"]);
        let gap = relative_error(centered, &exact);
        let what = self.what("gap to the exact gradient");
        assert!(self.model.gap.contains(&gap), "{what}: {gap:e}");
    }
}
