//! A field chosen at run time does all that the field itself does.

use eqprop_core::activation::Activation::{HardSigmoid, Identity};
use eqprop_core::cost::{AnyCost, Cost, CostConfig, LinearCost, SquaredError};
use eqprop_core::energy::{
    AnyField, HopfieldEnergyConfig, LayerConfig, PredictiveCodingConfig, ResistiveNetworkConfig,
    UntiedHopfieldConfig, VectorField,
};

use crate::network::{Numbers, chain, cost, filled, gradients_of};
use crate::setup::{Setup, values};

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
        let stays = field.stays(layer, &once.0, &start);
        assert_eq!(any.stays(layer, &once.1, &same), stays);
        assert_eq!(
            any.stays(layer, &outer, &first),
            field.stays(layer, &inner, &first)
        );
    }
    let lists = |gradients| gradients_of(field, &gradients);
    let found = any.contrast(&twice, &first, &second, 1.5);
    let expected = field.contrast(&twice, &first, &second, 1.5);
    assert_eq!(gradients_of(any, &found), lists(expected));
    let found = any.contrast_clamped(&twice, &outer, &first, &second, 1.5);
    let expected = field.contrast_clamped(&twice, &inner, &first, &second, 1.5);
    assert_eq!(gradients_of(any, &found), lists(expected));
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
    assert_eq!(any.graph(&outer).is_some(), field.graph(&inner).is_some());
    let expected = field.predictions(&inner).is_some();
    assert_eq!(any.predictions(&outer).is_some(), expected);
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
