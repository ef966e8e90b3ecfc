//! A field chosen at run time behaves exactly as the field itself.

use eqprop_core::activation::Activation::{HardSigmoid, Identity};
use eqprop_core::connection::InitializerConfig;
use eqprop_core::cost::{AnyCost, Cost, CostConfig, LinearCost, SquaredError};
use eqprop_core::energy::{
    AnyField, HopfieldEnergyConfig, LayerConfig, OscillatorNetworkConfig, PredictiveCodingConfig,
    ResistiveNetworkConfig, TotalEnergy, UntiedHopfieldConfig, VectorField,
};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_testing::{Numbers, Setup, chain, cost, filled, gradients_in, values};

use crate::devices;

const SIZES: [usize; 4] = [3, 4, 4, 2];
const BATCH: usize = 2;

fn config() -> HopfieldEnergyConfig {
    let mut config = chain(&SIZES, HardSigmoid);
    config.layers[2] = LayerConfig::new(SIZES[3], Identity);
    config
}

/// Every answer of `any` is that of `field`, to the last digit.
fn assert_same<F: VectorField>(field: &F, any: &AnyField, has_energy: bool) {
    let setup = Setup::double();
    let mut numbers = Numbers(1);
    assert_eq!(any.layers(), field.layers());
    assert_eq!(any.groups(), field.groups());
    let input = numbers.matrix(&setup, [BATCH, SIZES[0]], -1.0, 1.0);
    let [first, second] = [(); 2].map(|()| numbers.state(field.layers(), &setup, 2 * BATCH));
    let twice = input.clone().repeat_dim(0, 2);
    let inner = field.repeat(&field.clamp(&input), 2);
    let outer = any.repeat(&any.clamp(&input), 2);
    let once = (field.clamp(&input), any.clamp(&input));
    for layer in 0..field.layers().len() {
        let drives = [
            field.drive(layer, &inner, &first),
            any.drive(layer, &outer, &first),
        ];
        let [expected, found] = drives.map(|drive| values(&drive));
        assert_eq!(found, expected, "layer {layer}");
        let curvatures = [field.curvature(layer), any.curvature(layer)];
        let [expected, found] = curvatures.map(|curvature| curvature.map(|a| values(&a)));
        assert_eq!(found, expected, "layer {layer}");
        // At its own start a predictive coding network is at an equilibrium; elsewhere nothing is.
        let [start, same] = [field.start(&input, &once.0), any.start(&input, &once.1)];
        let stays = free(field, &once.0).stays(layer, &start);
        assert_eq!(free(any, &once.1).stays(layer, &same), stays);
        assert_eq!(
            free(any, &outer).stays(layer, &first),
            free(field, &inner).stays(layer, &first)
        );
    }
    let lists = |gradients| gradients_in(field, &gradients);
    let found = any.contrast(&any.clamp(&twice), &first, &second, 1.5);
    let expected = field.contrast(&field.clamp(&twice), &first, &second, 1.5);
    assert_eq!(gradients_in(any, &found), lists(expected));
    let found = any.contrast(&outer, &first, &second, 1.5);
    let expected = field.contrast(&inner, &first, &second, 1.5);
    assert_eq!(gradients_in(any, &found), lists(expected));
    let numbers_of = |tensor: Option<_>| tensor.map(|tensor| values::<2>(&tensor));
    let found = numbers_of(any.input_contrast(&twice, &first, &second, 1.5));
    let expected = numbers_of(field.input_contrast(&twice, &first, &second, 1.5));
    assert_eq!(found, expected);
    let energies = [
        field.energy_of(&inner, &first),
        any.energy_of(&outer, &first),
    ];
    let [expected, found] = energies.map(|energy| energy.map(|energy| values(&energy)));
    assert_eq!(found, expected);
    assert_eq!(found.is_some(), has_energy);
    let states = [
        [field.rest(&input), any.rest(&input)],
        [field.start(&input, &once.0), any.start(&input, &once.1)],
        [
            field.feedforward(&twice, &inner),
            any.feedforward(&twice, &outer),
        ],
        [
            field.clone().project().feedforward(&twice, &inner),
            any.clone().project().feedforward(&twice, &outer),
        ],
    ];
    for [expected, found] in states {
        let [expected, found] =
            [expected, found].map(|state| state.layers().iter().map(values).collect::<Vec<_>>());
        assert_eq!(found, expected);
    }
}

fn free<'a, F: VectorField>(field: &'a F, clamped: &'a F::Clamped) -> TotalEnergy<'a, F, AnyCost> {
    TotalEnergy::free(field, clamped)
}

/// In `f32`, where a relaxation is fused, with its own order of summation.
#[test]
fn a_field_chosen_at_run_time_relaxes_as_the_field() {
    let setup = devices::all().swap_remove(1);
    let mut numbers = Numbers(5);
    let input = numbers.matrix(&setup, [5, 40], -1.0, 1.0);
    let config = chain(&[40, 30, 20, 10], HardSigmoid);
    let field = config.init(&setup.device);
    let any = AnyField::from(field.clone());
    let relaxation = Relaxation::steps(Scheme::Asynchronous, 9);
    let flat = |state: &State| state.layers().iter().flat_map(values).collect::<Vec<_>>();
    let (clamped, held) = (field.clamp(&input), any.clamp(&input));
    let rest = field.rest(&input);
    let expected = relaxation.relax(&free(&field, &clamped), rest.clone());
    let found = relaxation.relax(&free(&any, &held), rest.clone());
    assert_eq!(flat(&found.state), flat(&expected.state));
    let stepwise = relaxation.relax_observed(&free(&any, &held), rest, |_, _| {});
    assert_ne!(flat(&found.state), flat(&stepwise.state));
}

#[test]
fn a_field_chosen_at_run_time_is_the_field() {
    let setup = Setup::double();
    let mut numbers = Numbers(7);
    let mut fill = |n| numbers.list(n, -0.8, 0.8);
    let hopfield = filled(config().init(&setup.device), &setup, &mut fill);
    assert_same(&hopfield, &hopfield.clone().into(), true);
    let untied = UntiedHopfieldConfig::new(config()).init(&setup.device);
    let untied = filled(untied, &setup, &mut fill);
    assert_same(&untied, &untied.clone().into(), false);
    let predictive = PredictiveCodingConfig::new(config()).init(&setup.device);
    let predictive = filled(predictive, &setup, &mut fill);
    assert_same(&predictive, &predictive.clone().into(), true);
    let resistive = ResistiveNetworkConfig::dense(&SIZES).init(&setup.device);
    let resistive = filled(resistive, &setup, |n| {
        fill(n).into_iter().map(f64::abs).collect()
    });
    assert_same(&resistive, &resistive.clone().into(), true);
    let oscillators = OscillatorNetworkConfig::dense(&SIZES, InitializerConfig::Glorot)
        .with_learns_injection(true);
    let oscillators = filled(oscillators.init(&setup.device), &setup, &mut fill);
    assert_same(&oscillators, &oscillators.clone().into(), true);
}

#[test]
fn only_costs_whose_force_is_affine_are_quadratic() {
    let setup = Setup::double();
    let any = |which| cost(which, 2, &setup, 0.5, 1);
    assert!(SquaredError.is_quadratic() && LinearCost.is_quadratic());
    assert!(Cost::is_quadratic(&any(CostConfig::SquaredError)));
    let cross_entropy = any(CostConfig::CrossEntropy);
    assert!(!Cost::is_quadratic(&cross_entropy));
    let AnyCost::CrossEntropy(cross_entropy) = cross_entropy else {
        panic!("it was asked for")
    };
    assert!(!cross_entropy.is_quadratic());
}
