//! The Hopfield energy as a function, differentiated by autodiff, against its closed forms: on
//! every graph, and in every number format.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use eqprop_core::activation::Activation;
use eqprop_core::cost::{Cost, SquaredError};
use eqprop_core::energy::{
    ClosedFormError, CustomEnergy, Energy, EnergyFunction, HopfieldEnergy, HopfieldEnergyConfig,
    LayerConfig, TotalEnergy, VectorField,
};
use eqprop_core::gradients::Gradients;
use eqprop_core::relaxation::Scheme;
use eqprop_core::state::State;
use eqprop_testing::{
    ACTIVATIONS, Function, Numbers, Setup, assert_close, chain, custom, distance, equilibrium,
    gradients_in, graph, network, parameter_differences, values,
};

use crate::devices;
use crate::graphs::{self, DENSE, Problem, SIZES};

/// Two ways to sum some ten terms of order 1. Softmax and the smooth activations take logarithms
/// of numbers that are a tenth, which cost a digit.
fn tolerance(setup: &Setup) -> f64 {
    match setup.name {
        "flex f64" => 1e-12,
        _ => 1e-5,
    }
}

#[test]
fn autodiff_finds_the_closed_forms_of_every_graph() {
    for setup in devices::all() {
        for activation in ACTIVATIONS {
            // Every backend is asked about autodiff, one about every convolution.
            let graphs = match setup.name {
                "flex f64" | "flex f32" => graphs::all(activation),
                _ => DENSE.map(|ends| dense(activation, ends)).to_vec(),
            };
            for (what, config) in graphs {
                let what = format!("{}, {what}", setup.name);
                assert_same(&Problem::new(&config, &setup), tolerance(&setup), &what);
            }
        }
    }
}

fn dense(activation: Activation, ends: &[(usize, usize)]) -> (String, HopfieldEnergyConfig) {
    let what = format!("{activation:?}, {ends:?}");
    (what, graph(&SIZES, activation, ends))
}

fn assert_same(problem: &Problem, tolerance: f64, what: &str) {
    let Problem {
        energy,
        input,
        states: [first, second],
    } = problem;
    let custom = custom(energy.clone());
    let clamped = (energy.clamp(input), custom.clamp(input));
    assert_close(
        &values(&custom.energy(&clamped.1, first)),
        &values(&energy.energy(&clamped.0, first)),
        tolerance,
        what,
    );
    for layer in 0..energy.layers().len() {
        let found = custom.drive(layer, &clamped.1, first);
        assert!(!found.is_autodiff());
        let expected = energy.drive(layer, &clamped.0, first);
        // The softmax leaves a constant free.
        let [found, expected] = [found, expected].map(|drive| {
            let activation = energy.layers()[layer].activation;
            match activation {
                Activation::Softmax => values(&activation.apply(drive)),
                _ => values(&drive),
            }
        });
        assert!(
            expected.iter().any(|drive| drive.abs() > 0.01),
            "{what}: nothing to compare"
        );
        assert_close(&found, &expected, tolerance, what);
    }
    let found = gradients_in(
        &custom,
        &custom.contrast(&custom.clamp(input), first, second, 1.7),
    );
    let expected = gradients_in(
        energy,
        &energy.contrast(&energy.clamp(input), first, second, 1.7),
    );
    for (found, expected) in found.iter().zip(&expected) {
        assert!(
            expected.iter().any(|g| g.abs() > 1e-3),
            "{what}: nothing to compare"
        );
        assert_close(found, expected, tolerance, what);
    }
    let found = custom.input_contrast(input, first, second, 1.7);
    let expected = energy.input_contrast(input, first, second, 1.7);
    let [found, expected] = [found, expected].map(|slope| values(&slope.expect("an energy")));
    assert!(
        expected.iter().any(|g| g.abs() > 0.01),
        "{what}: nothing to compare"
    );
    assert_close(&found, &expected, tolerance, what);
}

/// The energy is linear in the input, except for max pooling, whose winners do not change over this
/// distance: only rounding, 1e-14/ε.
#[test]
fn the_contrast_of_the_input_is_the_slope_of_the_energy_difference() {
    let (setup, epsilon) = (Setup::double(), 1e-3);
    for activation in [Activation::Tanh, Activation::HardSigmoid] {
        for (what, config) in graphs::all(activation) {
            let Problem {
                energy,
                input,
                states: [first, second],
            } = Problem::new(&config, &setup);
            let contrast = energy.input_contrast(&input, &first, &second, -1.3);
            let found = values(&contrast.expect("an energy"));
            let [batch, n_inputs] = input.dims();
            for unit in 0..n_inputs {
                let at = |by: f64| {
                    let mut step = vec![0.0; n_inputs];
                    step[unit] = by;
                    let clamped =
                        energy.clamp(&(input.clone() + setup.tensor(step, [1, n_inputs])));
                    values(&(energy.energy(&clamped, &first) - energy.energy(&clamped, &second)))
                };
                let (up, down) = (at(epsilon), at(-epsilon));
                for example in 0..batch {
                    let slope = -1.3 * (up[example] - down[example]) / (2.0 * epsilon);
                    let found = found[example * n_inputs + unit];
                    assert_close(&[found], &[slope], 1e-10, &what);
                }
            }
        }
    }
}

/// With every scheme, free and nudged: the drives are the same, and so are the steps and the
/// equilibria.
#[test]
fn states_relax_as_with_closed_forms() {
    let schemes = [
        Scheme::Asynchronous,
        Scheme::FixedPoint,
        Scheme::GradientFlow { step_size: 0.3 },
    ];
    for setup in devices::all() {
        for activation in [
            Activation::HardSigmoid,
            Activation::Sigmoid,
            Activation::Tanh,
        ] {
            let energy = network(&chain(&[3, 5, 4, 2], activation), &setup, 0.4, 2);
            let custom = custom(energy.clone());
            let mut numbers = Numbers(1);
            let input = numbers.matrix(&setup, [4, 3], 0.0, 1.0);
            let target = numbers.matrix(&setup, [4, 2], 0.0, 1.0);
            for scheme in schemes {
                for beta in [0.0, 0.5] {
                    let expected = relax(&energy, &input, &target, beta, scheme, &setup);
                    let found = relax(&custom, &input, &target, beta, scheme, &setup);
                    let off = values(&found.max_distance(&expected));
                    let what = format!("{}, {activation:?}, {scheme:?}, {beta}", setup.name);
                    assert_close(&off, &[0.0; 4], setup.tolerance, &what);
                }
            }
        }
    }
}

fn relax<E: VectorField>(
    energy: &E,
    input: &Tensor<2>,
    target: &Tensor<2>,
    beta: f64,
    scheme: Scheme,
    setup: &Setup,
) -> State {
    let clamped = energy.clamp(input);
    let beta = setup.number(beta);
    let total = TotalEnergy::nudged(energy, &clamped, &SquaredError, target, beta);
    equilibrium(&total, energy.rest(input), scheme, setup)
}

/// The result of a backward pass through all drives, by Burn's autodiff of the closed form and by
/// differences of slopes: off by ε² = 4e-11 times fourth derivatives of the potentials.
#[test]
fn drives_are_differentiable_in_parameters_input_and_state() {
    let setup = Setup::double();
    for activation in [Activation::Tanh, Activation::Sigmoid, Activation::Identity] {
        for (what, config) in graphs::all(activation) {
            let Problem {
                energy,
                input,
                states: [state, _],
            } = Problem::new(&config, &setup);
            let leaf = |tensor: &Tensor<2>| tensor.clone().autodiff().require_grad();
            let input = leaf(&input);
            let state = state.map(leaf);
            let energy = energy.map(&mut Lift);
            let found = slopes_of_drives(&custom(energy.clone()), &input, &state);
            let expected = slopes_of_drives(&energy, &input, &state);
            for (found, expected) in found.iter().zip(&expected) {
                assert!(
                    expected.iter().any(|g| g.abs() > 0.01),
                    "{what}: nothing to compare"
                );
                assert_close(found, expected, 1e-7, &what);
            }
        }
    }
}

/// Every parameter on autodiff.
struct Lift;

impl ModuleMapper for Lift {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| value.autodiff().require_grad())
    }
}

/// The slopes of half the sum of the squares of all drives.
fn slopes_of_drives<E: VectorField>(energy: &E, input: &Tensor<2>, state: &State) -> Vec<Vec<f64>> {
    struct Lists<'a>(&'a burn::tensor::Gradients, Vec<Vec<f64>>);

    impl ModuleVisitor for Lists<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let leaf = param.val();
            let slope = leaf
                .grad(self.0)
                .unwrap_or_else(|| leaf.without_autodiff().zeros_like());
            self.1.push(values(&slope));
        }
    }

    let clamped = energy.clamp(input);
    let squares = (0..energy.layers().len()).map(|layer| {
        let drive = energy.drive(layer, &clamped, state);
        assert!(drive.is_tracked());
        (drive.clone() * drive * 0.5).sum()
    });
    let objective = squares.reduce(|a, b| a + b).expect("layers");
    let slopes = objective.backward();
    let mut lists = Lists(&slopes, Vec::new());
    energy.visit(&mut lists);
    let variables = [input].into_iter().chain(state.layers());
    lists
        .1
        .extend(variables.map(|leaf| values(&leaf.grad(&slopes).expect("a slope"))));
    lists.1
}

/// An energy that has closed forms, one of them multiplied by `factor`.
#[derive(Module, Debug)]
struct WithClosedForms {
    hopfield: HopfieldEnergy,
    #[module(skip)]
    wrong: Option<&'static str>,
}

impl WithClosedForms {
    fn factor(&self, what: &str) -> f64 {
        if self.wrong == Some(what) { -1.0 } else { 1.0 }
    }
}

impl EnergyFunction for WithClosedForms {
    fn energy(&self, input: &Tensor<2>, state: &State) -> Tensor<1> {
        self.hopfield.energy(&self.hopfield.clamp(input), state)
    }

    fn drive(&self, layer: usize, input: &Tensor<2>, state: &State) -> Option<Tensor<2>> {
        let drive = self
            .hopfield
            .drive(layer, &self.hopfield.clamp(input), state);
        let factor = if layer == 1 {
            self.factor("drive")
        } else {
            1.0
        };
        Some(drive * factor)
    }

    fn contrast(
        &self,
        input: &Tensor<2>,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Option<Gradients> {
        if self.wrong == Some("forgotten") {
            return Some(Gradients::new());
        }
        let mut gradients =
            self.hopfield
                .contrast(&self.hopfield.clamp(input), first, second, scale);
        let bias = self.hopfield.biases[0].id;
        let gradient: Tensor<1> = gradients.get(bias).expect("every parameter has one");
        gradients.register(bias, gradient * self.factor("contrast"));
        Some(gradients)
    }

    fn input_contrast(
        &self,
        input: &Tensor<2>,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Option<Tensor<2>> {
        let contrast = self.hopfield.input_contrast(input, first, second, scale);
        contrast.map(|slope| slope * self.factor("input"))
    }
}

#[test]
fn a_wrong_closed_form_is_named() {
    for setup in devices::all() {
        let hopfield = network(&chain(&[3, 4, 2], Activation::Tanh), &setup, 1.0, 7);
        let mut numbers = Numbers(8);
        let input = numbers.matrix(&setup, [3, 3], 0.0, 1.0);
        let state = numbers.state(hopfield.layers(), &setup, 3);
        let check = |wrong| {
            let layers = hopfield.layers().to_vec();
            let hopfield = hopfield.clone();
            CustomEnergy::new(WithClosedForms { hopfield, wrong }, layers)
                .check_closed_forms(&input, &state)
        };
        let right = check(None).expect("closed forms of the same energy");
        // Two drives, two weights, two biases, the input.
        assert_eq!(right.len(), 7);
        let named = |wrong| check(Some(wrong)).expect_err("a wrong sign").to_string();
        for (wrong, what) in [
            ("drive", "the drive of layer 2"),
            ("contrast", "the contrast of hopfield.biases.0"),
            ("input", "the contrast of the input"),
        ] {
            assert!(named(wrong).starts_with(what), "{}", named(wrong));
        }
        let forgotten = check(Some("forgotten"));
        assert!(matches!(forgotten, Err(ClosedFormError::Missing { .. })));
        // Nothing supplied, nothing compared.
        assert_eq!(
            custom(hopfield.clone()).check_closed_forms(&input, &state),
            Ok(vec![])
        );
    }
}

/// The error of such a closed form is ∞/∞, a NaN of either sign: it must not pass for the smallest of
/// all errors.
#[test]
fn a_closed_form_of_an_infinite_slope_is_refused() {
    #[derive(Module, Debug)]
    struct Steep;

    impl EnergyFunction for Steep {
        fn energy(&self, _input: &Tensor<2>, state: &State) -> Tensor<1> {
            let [s, top] = [0, 1].map(|layer| state.layer(layer).clone());
            let cliff = top.clone().sum_dim(1).squeeze_dim::<1>(1) * f64::INFINITY;
            Activation::Identity.potential(s) + Activation::Identity.potential(top) - cliff
        }

        fn drive(&self, layer: usize, _input: &Tensor<2>, state: &State) -> Option<Tensor<2>> {
            Some(state.layer(layer).zeros_like())
        }
    }

    let setup = Setup::double();
    let layer = LayerConfig::new(1, Activation::Identity);
    let energy = CustomEnergy::new(Steep, [layer, layer]);
    let state = State::new(vec![setup.number(0.3), setup.number(0.5)]);
    let found = energy.check_closed_forms(&setup.number(1.0), &state);
    let message = found.expect_err("an infinite slope").to_string();
    assert!(message.starts_with("the drive of layer 2"), "{message}");
}

/// `E = ½|s|² − x W sᵀ − λ Σ s³ − s U s'ᵀ s'`, of third order, over two layers.
#[derive(Module, Debug)]
struct Cubic {
    weight: Param<Tensor<2>>,
    lambda: Param<Tensor<1>>,
    joint: Param<Tensor<2>>,
}

impl EnergyFunction for Cubic {
    fn energy(&self, input: &Tensor<2>, state: &State) -> Tensor<1> {
        let [s, top] = [0, 1].map(|layer| state.layer(layer).clone());
        let drive = input.clone().matmul(self.weight.val());
        let cube = s.clone() * s.clone() * s.clone() * self.lambda.val().unsqueeze();
        let joint = s.clone().matmul(self.joint.val()) * top.clone() * top.clone();
        let potentials = Activation::Tanh.potential(s.clone()) + Activation::Tanh.potential(top);
        let terms = (drive * s + cube).sum_dim(1) + joint.sum_dim(1);
        potentials - terms.squeeze_dim(1)
    }
}

fn cubic(setup: &Setup) -> CustomEnergy<Cubic> {
    let mut numbers = Numbers(3);
    let mut matrix = |shape| Param::from_tensor(numbers.matrix(setup, shape, -0.7, 0.7));
    let cubic = Cubic {
        weight: matrix([3, 4]),
        joint: matrix([4, 2]),
        lambda: Param::from_tensor(setup.tensor(vec![0.2], [1])),
    };
    let layer = |n: usize| LayerConfig::new(n, Activation::Tanh);
    CustomEnergy::new(cubic, [layer(4), layer(2)])
}

/// The theorem, for an energy that is not quadratic in anything: the contrast of two equilibria is
/// the slope of the cost after relaxing again. Differences are off by 1e-9, the estimate by β².
#[test]
fn the_contrast_of_an_energy_of_third_order_is_the_gradient_of_its_cost() {
    let setup = Setup::double();
    let energy = cubic(&setup);
    let mut numbers = Numbers(4);
    let input = numbers.matrix(&setup, [4, 3], 0.0, 1.0);
    let target = numbers.matrix(&setup, [4, 2], -1.0, 1.0);
    let start = State::new(vec![
        numbers.matrix(&setup, [4, 4], 0.2, 0.6),
        numbers.matrix(&setup, [4, 2], 0.2, 0.6),
    ]);
    let scheme = Scheme::GradientFlow { step_size: 0.5 };
    let relax = |energy: &CustomEnergy<Cubic>, beta: f64, start: &State| {
        let clamped = energy.clamp(&input);
        let beta = setup.number(beta);
        let total = TotalEnergy::nudged(energy, &clamped, &SquaredError, &target, beta);
        equilibrium(&total, start.clone(), scheme, &setup)
    };
    let free = relax(&energy, 0.0, &start);
    let expected = parameter_differences(&energy, 1e-4, |energy| {
        let state = relax(energy, 0.0, &free);
        SquaredError
            .value(state.output(), &target)
            .mean()
            .into_scalar::<f64>()
    });
    let estimate = |beta: f64| {
        let [first, second] = [beta, -beta].map(|beta| relax(&energy, beta, &free));
        let contrast = energy.contrast(&energy.clamp(&input), &first, &second, 0.5 / beta);
        contrast.to_vec(&energy)
    };
    let expected = expected.concat();
    let size = expected.iter().fold(0.0, |most: f64, g| most.max(g.abs()));
    assert!(size > 0.01, "nothing to compare: {expected:?}");
    let [coarse, fine] = [0.01, 0.001].map(|beta| distance(&estimate(beta), &expected));
    assert!(fine < 1e-3 * size, "off by {fine:e} of {size:e}");
    let order = (coarse / fine).log10();
    assert!((order - 2.0).abs() < 0.2, "order {order} in beta");
}

#[test]
#[should_panic(expected = "a custom energy needs at least one layer")]
fn an_energy_without_layers_is_refused() {
    let hopfield = network(&chain(&[2, 1], Activation::Tanh), &Setup::double(), 1.0, 1);
    let _ = CustomEnergy::new(Function { hopfield }, []);
}

/// A layer that the energy does not depend on stays where its potential says.
#[test]
fn what_the_energy_does_not_depend_on_has_no_slope() {
    #[derive(Module, Debug)]
    struct Nothing;

    impl EnergyFunction for Nothing {
        fn energy(&self, input: &Tensor<2>, _state: &State) -> Tensor<1> {
            input.clone().sum_dim(1).squeeze_dim(1)
        }
    }

    let layer = LayerConfig::new(2, Activation::Identity);
    let energy = CustomEnergy::new(Nothing, [layer]);
    let input = Tensor::ones([1, 3], &Device::flex());
    let state = State::new(vec![Tensor::ones([1, 2], &Device::flex())]);
    let drive = energy.drive(0, &energy.clamp(&input), &state);
    assert_eq!(values(&drive), [1.0, 1.0]);
    let contrast = energy.input_contrast(&input, &state, &state, 1.0);
    assert_eq!(values(&contrast.expect("an energy")), [0.0; 3]);
}
