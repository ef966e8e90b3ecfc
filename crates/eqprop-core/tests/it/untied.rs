//! Untied forward and feedback parameters: the tied network where they are equal, and no energy
//! where they are not.

use burn::module::Module;
use burn::store::ModuleRecord;
use eqprop_core::activation::Activation;
use eqprop_core::connection::{ConnectionKind, ConvolutionConfig, Pooling};
use eqprop_core::cost::{AnyCost, CostConfig};
use eqprop_core::energy::{
    FeedbackInitializer, FeedbackUpdate, HopfieldEnergy, HopfieldEnergyConfig, LayerConfig,
    TotalEnergy, UntiedHopfield, UntiedHopfieldConfig, VectorField,
};
use eqprop_core::relaxation::Scheme;
use eqprop_core::state::State;
use eqprop_testing::{
    Numbers, Setup, assert_close, chain, cost, distance, equilibrium, filled, gradients_in, graph,
    joined, network, parameters, values,
};

use crate::graphs::{self, BATCH, Problem};

const UPDATES: [FeedbackUpdate; 2] = [FeedbackUpdate::Own, FeedbackUpdate::Same];

/// `energy` with feedback parameters: those of each connection, plus `apart` times a number in ±1.
fn untied(
    energy: &HopfieldEnergy,
    config: &HopfieldEnergyConfig,
    update: FeedbackUpdate,
    apart: f64,
) -> UntiedHopfield {
    let setup = Setup::double();
    let untied = UntiedHopfieldConfig::new(config.clone()).with_update(update);
    let mut field = untied.init(&setup.device);
    let mut numbers = Numbers(99);
    let feedback = field.feedback.into_iter().zip(&energy.connections);
    let feedback = feedback.map(|(feedback, connection)| {
        let mut lists = parameters(connection).into_iter();
        let next = |_| {
            let list = lists.next().expect("of the same shape").into_iter();
            list.map(|value| value + apart * numbers.uniform(-1.0, 1.0))
                .collect()
        };
        feedback.map(|feedback| filled(feedback, &setup, next))
    });
    field.feedback = feedback.collect();
    field.forward = energy.clone();
    field
}

/// The parameters of `field` that both directions of a connection have: forward and feedback.
fn pairs<'a>(field: &UntiedHopfield, lists: &'a [Vec<f64>]) -> Vec<[&'a Vec<f64>; 2]> {
    let n_forward = parameters(&field.forward).len();
    let mut feedback = lists[n_forward..].iter();
    let mut forward = lists[..n_forward].iter();
    let connections = field.forward.connections.iter().zip(&field.feedback);
    let pairs = connections.filter_map(|(connection, back)| {
        let forward = parameters(connection).iter().find_map(|_| forward.next())?;
        back.as_ref()?;
        Some([forward, feedback.next().expect("a list each")])
    });
    pairs.collect()
}

#[test]
fn with_the_forward_parameters_back_it_drives_and_contrasts_as_the_energy_does() {
    let setup = Setup::double();
    for activation in [Activation::HardSigmoid, Activation::Softmax] {
        for (what, config) in graphs::all(activation) {
            let problem = Problem::new(&config, &setup);
            let Problem {
                energy,
                input,
                states: [first, second],
            } = &problem;
            let tied_gradients = energy.contrast(&energy.clamp(input), first, second, 1.7);
            let tied_gradients = gradients_in(energy, &tied_gradients);
            let tied = energy.clamp(input);
            for update in UPDATES {
                let field = untied(energy, &config, update, 0.0);
                let clamped = field.clamp(input);
                for layer in 0..config.layers.len() {
                    assert_eq!(
                        values(&field.drive(layer, &clamped, first)),
                        values(&energy.drive(layer, &tied, first)),
                        "{what}"
                    );
                }
                let gradients = field.contrast(&field.clamp(input), first, second, 1.7);
                let gradients = gradients_in(&field, &gradients);
                if update == FeedbackUpdate::Same {
                    assert_eq!(gradients[..tied_gradients.len()], tied_gradients, "{what}");
                }
                let pairs = pairs(&field, &gradients);
                assert!(!pairs.is_empty(), "{what}: nothing leads back");
                for [forward, feedback] in pairs {
                    match update {
                        FeedbackUpdate::Same => assert_eq!(forward, feedback, "{what}"),
                        FeedbackUpdate::Own => {
                            let apart = distance(forward, feedback);
                            assert!(apart > 1e-3, "{what}: {apart:e}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn the_two_directions_own_updates_add_up_to_that_of_the_tied_network() {
    let setup = Setup::double();
    for (what, config) in graphs::all(Activation::Tanh) {
        let problem = Problem::new(&config, &setup);
        let [first, second] = &problem.states;
        // Whatever the feedback parameters are.
        let of = |update| {
            let field = untied(&problem.energy, &config, update, 0.5);
            let gradients = field.contrast(&field.clamp(&problem.input), first, second, 1.7);
            let lists = gradients_in(&field, &gradients);
            (field, lists)
        };
        let (field, own) = of(FeedbackUpdate::Own);
        let (_, same) = of(FeedbackUpdate::Same);
        for ([forward, feedback], [whole, _]) in
            pairs(&field, &own).iter().zip(pairs(&field, &same))
        {
            let sum: Vec<f64> = forward.iter().zip(*feedback).map(|(a, b)| a + b).collect();
            // Sums of some ten terms of order 1.
            assert_close(&sum, whole, 1e-13, &what);
        }
    }
}

/// `∂ drive / ∂ state` at `state` for the first example, through all layers, by central
/// differences.
fn jacobian(field: &UntiedHopfield, problem: &Problem) -> Vec<Vec<f64>> {
    jacobian_with(field, &field.clamp(&problem.input), problem)
}

/// The same with the given clamped input.
fn jacobian_with<E: VectorField>(
    field: &E,
    clamped: &E::Clamped,
    problem: &Problem,
) -> Vec<Vec<f64>> {
    // Drives are linear as far as the same units win their windows, which `Problem` sees to.
    let epsilon = 1e-3;
    let state = &problem.states[0];
    let drives = |state: &State| -> Vec<f64> {
        let layers = 0..field.layers().len();
        layers
            .flat_map(|layer| values(&field.drive(layer, clamped, state).narrow(0, 0, 1)))
            .collect()
    };
    let moved = |layer: usize, unit: usize, by: f64| {
        let n_units = field.layers()[layer].n_units();
        let step = (0..n_units).map(|other| if other == unit { by } else { 0.0 });
        let step = Setup::double().tensor(step.collect(), [1, n_units]);
        let mut moved = state.clone();
        moved.set(layer, state.layer(layer).clone() + step);
        drives(&moved)
    };
    let units = field.layers().iter().enumerate();
    let units = units.flat_map(|(layer, config)| (0..config.n_units()).map(move |u| (layer, u)));
    let column = |(layer, unit)| {
        let (up, down) = (moved(layer, unit, epsilon), moved(layer, unit, -epsilon));
        let slopes = up.iter().zip(&down).map(|(a, b)| (a - b) / (2.0 * epsilon));
        slopes.collect()
    };
    units.map(column).collect()
}

fn asymmetry(jacobian: &[Vec<f64>]) -> f64 {
    let n = jacobian.len();
    let entries = (0..n).flat_map(|row| (0..n).map(move |column| (row, column)));
    let transposed: Vec<f64> = entries.clone().map(|(i, j)| jacobian[j][i]).collect();
    let entries: Vec<f64> = entries.map(|(i, j)| jacobian[i][j]).collect();
    distance(&entries, &transposed)
}

/// A convolution and its feedback are adjoint to each other if the kernels are equal.
#[test]
fn the_jacobian_of_the_drives_is_symmetric_only_where_the_parameters_are_equal() {
    let setup = Setup::double();
    for (what, config) in graphs::all(Activation::Tanh) {
        let problem = Problem::new(&config, &setup);
        let of = |apart| {
            let field = untied(&problem.energy, &config, FeedbackUpdate::Own, apart);
            asymmetry(&jacobian(&field, &problem))
        };
        // Rounding, 1e-14/ε.
        let equal = of(0.0);
        assert!(equal < 1e-10, "{what}: {equal:e}");
        let apart = of(0.5);
        assert!(apart > 0.1, "{what}: {apart:e}");
    }
}

#[test]
fn the_adjoint_has_the_transposed_jacobian_and_the_drives_of_the_state_that_it_is_made_at() {
    let setup = Setup::double();
    let mut n_found = 0;
    for (what, config) in graphs::all(Activation::Tanh) {
        let problem = Problem::new(&config, &setup);
        let state = &problem.states[0];
        let field = untied(&problem.energy, &config, FeedbackUpdate::Own, 0.5);
        let clamped = field.clamp(&problem.input);
        let adjoint = field.adjoint(&clamped, state);
        let has_max_pooling = what.contains("Max") || what.contains("reversed");
        assert_eq!(adjoint.is_none(), has_max_pooling, "{what}");
        let Some(adjoint) = adjoint else { continue };
        n_found += 1;
        for layer in 0..config.layers.len() {
            let [own, of_adjoint] =
                [&clamped, &adjoint].map(|clamped| values(&field.drive(layer, clamped, state)));
            assert_close(&of_adjoint, &own, 1e-12, &what);
        }
        let own = jacobian(&field, &problem);
        let expected = (0..own.len()).flat_map(|row| own.iter().map(move |column| column[row]));
        let expected: Vec<f64> = expected.collect();
        // Rounding, 1e-14/ε.
        let found = jacobian_with(&field, &adjoint, &problem).concat();
        assert_close(&found, &expected, 1e-10, &what);
        assert!(
            distance(&own.concat(), &expected) > 0.1,
            "{what}: nothing to transpose"
        );

        // An energy is its own, whichever connections it has.
        let clamped = problem.energy.clamp(&problem.input);
        let adjoint = problem.energy.adjoint(&clamped, state).expect("an energy");
        let [own, of_adjoint] = [&clamped, &adjoint]
            .map(|clamped| jacobian_with(&problem.energy, clamped, &problem).concat());
        assert_eq!(own, of_adjoint, "{what}");
    }
    assert!(n_found > 10, "{n_found} graphs have one");
}

#[test]
fn feedback_goes_through_the_winners_of_the_forward_kernel() {
    let setup = Setup::double();
    let pooled = ConvolutionConfig::new(1).with_pooling(Pooling::Max(2));
    let layers = [[1, 2, 2], [1, 1, 1]].map(|maps| LayerConfig::new(maps, Activation::Identity));
    let connections = vec![
        joined(0, 1, ConnectionKind::Identity),
        joined(1, 2, ConnectionKind::Convolution(pooled)),
    ];
    let config = HopfieldEnergyConfig::new([1, 2, 2].into(), layers.to_vec(), connections);
    let energy = filled(config.init(&setup.device), &setup, |n| match n {
        1 => vec![1.0],
        n => vec![0.0; n],
    });
    let mut field = untied(&energy, &config, FeedbackUpdate::Own, 0.0);
    let back = field.feedback[1].take().expect("between free layers");
    field.feedback[1] = Some(filled(back, &setup, |_| vec![-2.0]));
    let input = setup.tensor(vec![0.0; 4], [1, 4]);
    let below = setup.tensor(vec![1.0, 2.0, 4.0, 3.0], [1, 4]);
    let state = State::new(vec![below, setup.number(5.0)]);
    let clamped = field.clamp(&input);
    let drive = |layer| values(&field.drive(layer, &clamped, &state));
    // The first unit would win with the kernel −2. The biases are those of lists of one number: 1.
    assert_eq!(drive(1), [4.0 + 1.0]);
    assert_eq!(drive(0), [1.0, 1.0, 1.0 - 10.0, 1.0]);
}

/// Equilibria at β = 0 and 0.3, one-sided estimate included.
#[test]
fn with_the_forward_parameters_back_equilibria_and_estimates_are_those_of_the_energy() {
    let setup = Setup::double();
    let config = chain(&[4, 6, 5, 3], Activation::Sigmoid);
    let energy = network(&config, &setup, 0.5, 5);
    let cost: AnyCost = cost(CostConfig::SquaredError, 3, &setup, 1.0, 6);
    let mut numbers = Numbers(7);
    let input = numbers.matrix(&setup, [BATCH, 4], 0.0, 1.0);
    let target = setup.one_hot(&[0, 2, 1], 3);

    fn states<E: VectorField>(
        field: &E,
        cost: &AnyCost,
        [input, target]: [&burn::tensor::Tensor<2>; 2],
    ) -> [State; 2] {
        let setup = Setup::double();
        let clamped = field.clamp(input);
        let relax = |total: &TotalEnergy<'_, E, AnyCost>, start| {
            equilibrium(total, start, Scheme::Asynchronous, &setup)
        };
        let free = relax(&TotalEnergy::free(field, &clamped), field.rest(input));
        let beta = setup.number(0.3);
        let total = TotalEnergy::nudged(field, &clamped, cost, target, beta);
        let nudged = relax(&total, free.clone());
        [free, nudged]
    }

    let data = [&input, &target];
    let tied = states(&energy, &cost, data);
    let numbers_of = |states: &[State; 2]| -> Vec<f64> {
        let layers = states.iter().flat_map(|state| state.layers().to_vec());
        layers.flat_map(|layer| values(&layer)).collect()
    };
    let equal = untied(&energy, &config, FeedbackUpdate::Same, 0.0);
    let found = states(&equal, &cost, data);
    assert_eq!(numbers_of(&found), numbers_of(&tied));
    let gradient = equal.contrast(&equal.clamp(&input), &found[1], &found[0], 1.0 / 0.3);
    let expected = energy.contrast(&energy.clamp(&input), &tied[1], &tied[0], 1.0 / 0.3);
    let expected = gradients_in(&energy, &expected);
    assert_eq!(gradients_in(&equal, &gradient)[..expected.len()], expected);

    let other = states(
        &untied(&energy, &config, FeedbackUpdate::Same, 0.5),
        &cost,
        data,
    );
    let moved = distance(&numbers_of(&other), &numbers_of(&tied));
    assert!(moved > 0.01, "{moved:e}");
}

#[test]
fn the_input_is_not_fed_back_to_and_an_identity_has_no_parameters() {
    let identity = ConnectionKind::Identity;
    let mut config = graph(&[3, 4, 4, 2], Activation::Tanh, &[(0, 1), (1, 2), (2, 3)]);
    config.connections.push(joined(1, 2, identity));
    let device = Setup::double().device;
    let field = UntiedHopfieldConfig::new(config).init(&device);
    assert!(field.feedback[0].is_none());
    let sizes = |lists: Vec<Vec<f64>>| -> Vec<usize> { lists.iter().map(Vec::len).collect() };
    // Forward weights, biases, feedback weights.
    let expected = [12, 16, 8, 4, 4, 2, 16, 8];
    assert_eq!(sizes(parameters(&field)), expected);
}

#[test]
fn feedback_begins_with_a_draw_of_its_own_or_with_the_forward_parameters() {
    let device = Setup::double().device;
    let config = chain(&[3, 4, 2], Activation::Tanh);
    let of = |feedback| {
        let config = UntiedHopfieldConfig::new(config.clone()).with_feedback(feedback);
        config.init(&device)
    };
    let forward = of(FeedbackInitializer::Forward);
    let lists = parameters(&forward);
    let [[there, back]] = pairs(&forward, &lists)[..] else {
        panic!("one connection between free layers");
    };
    assert_eq!(there, back);
    // Parameters of their own: each has a gradient of its own.
    let input = Setup::double()
        .tensor(vec![0.5; 3], [1, 3])
        .cast(burn::tensor::DType::F32);
    let state = forward.rest(&input);
    let gradients = forward.contrast(&forward.clamp(&input), &state, &state, 1.0);
    assert_eq!(gradients.len(), lists.len());

    let independent = of(FeedbackInitializer::Independent);
    let lists = parameters(&independent);
    let [[there, back]] = pairs(&independent, &lists)[..] else {
        panic!("one connection between free layers");
    };
    assert!(distance(there, back) > 1e-3);
}

#[test]
fn a_field_loaded_from_its_record_has_the_same_drives() {
    let setup = Setup::double();
    for (what, config) in graphs::convolutional(Activation::HardSigmoid) {
        let problem = Problem::new(&config, &setup);
        let saved = untied(&problem.energy, &config, FeedbackUpdate::Same, 0.5);
        let fresh = untied(&problem.energy, &config, FeedbackUpdate::Same, -0.5);
        assert_ne!(parameters(&fresh), parameters(&saved));
        let bytes = saved.clone().into_record().into_bytes();
        let bytes = bytes.expect("a record can be written");
        let loaded = fresh.load_record(ModuleRecord::from_bytes(bytes).expect("and read"));
        assert_eq!(parameters(&loaded), parameters(&saved), "{what}");
        let drives = |field: &UntiedHopfield| {
            let clamped = field.clamp(&problem.input);
            let layers = 0..field.layers().len();
            let drive = |layer| values(&field.drive(layer, &clamped, &problem.states[0]));
            layers.map(drive).collect::<Vec<_>>()
        };
        assert_eq!(drives(&loaded), drives(&saved), "{what}");
    }
}
