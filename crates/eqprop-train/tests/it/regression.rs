//! Quantities in the place of classes.

use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use eqprop_core::activation::Activation;
use eqprop_core::cost::CostConfig;
use eqprop_core::nudging::Nudging;
use eqprop_testing::{Numbers, named_parameters, run, training, with};
use eqprop_train::checkpoint::Checkpoint;
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::{DataFiles, Dataset, Examples};
use eqprop_train::error::TrainingError;
use eqprop_train::preset::Preset;
use eqprop_train::training::{EpochRecord, Training};

/// A table of three inputs and two quantities of other sizes: one far from 0, one near it.
fn planes(n: usize) -> Dataset {
    let mut numbers = Numbers(7);
    let mut text = String::from("a,b,c,weight,length\n");
    for _ in 0..n {
        let [a, b, c] = std::array::from_fn(|_| numbers.uniform(-1.0, 1.0));
        let noise = numbers.uniform(-0.1, 0.1);
        let (weight, length) = (5000.0 + 300.0 * (a - b), 0.01 * (b + 2.0 * c + noise));
        text += &format!("{a},{b},{c},{weight},{length}\n");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("planes.csv");
    std::fs::write(&path, text).expect("room on the disk");
    let files = DataFiles {
        target: Some("weight,length".into()),
        ..DataFiles::new(path.to_str().expect("a plain name"))
    };
    files.look().expect("a table")
}

fn config(dataset: &Dataset) -> TrainingConfig {
    let config = Preset::Digits.config_for(&dataset.kind);
    with(config, &[("hidden", "[16]"), ("epochs", "10")])
}

/// Predictions of a network for each example, in the units of the quantities.
fn predicted(training: &Training, examples: &Examples) -> Vec<Vec<f64>> {
    let shape = [examples.len(), examples.n_inputs()];
    let input = TensorData::new(examples.inputs.clone(), shape);
    let input = Tensor::<2>::from_data(input, &Device::default());
    let output = training.learner().valid().infer(&input);
    let output = output.state.output().clone().into_data();
    let targets = examples.targets.as_ref().expect("quantities");
    let quantities = targets.kind.quantities().expect("quantities");
    let output: Vec<f64> = output.iter::<f64>().collect();
    let rows = output.chunks_exact(quantities.len());
    rows.map(|row| {
        let row = row.iter().enumerate();
        row.map(|(quantity, &number)| quantities.value(quantity, number))
            .collect()
    })
    .collect()
}

#[test]
fn an_epoch_reports_mean_errors_and_r_squared_in_the_units_of_the_files() {
    let dataset = planes(300);
    let mut training = training(config(&dataset), &dataset);
    run(&mut training, 10);
    let record = training.records().last().expect("ten epochs");

    let wanted: Vec<Vec<f64>> = (0..60).map(|i| dataset.test.quantities(i)).collect();
    assert!(wanted.iter().all(|row| (4000.0..6000.0).contains(&row[0])));
    let predicted = predicted(&training, &dataset.test);
    let column = |rows: &[Vec<f64>], quantity: usize| -> Vec<f64> {
        rows.iter().map(|row| row[quantity]).collect()
    };
    let (mut errors, mut shares) = (Vec::new(), Vec::new());
    for quantity in [0, 1] {
        let (wanted, predicted) = (column(&wanted, quantity), column(&predicted, quantity));
        let n = wanted.len() as f64;
        let mean = wanted.iter().sum::<f64>() / n;
        let pairs = || wanted.iter().zip(&predicted);
        errors.push(pairs().map(|(y, p)| (y - p).abs()).sum::<f64>() / n);
        let squares: f64 = pairs().map(|(y, p)| (y - p).powi(2)).sum();
        let variance: f64 = wanted.iter().map(|y| (y - mean).powi(2)).sum();
        shares.push(1.0 - squares / variance);
    }
    // Targets are rounded to single precision: of deviations, a ten-millionth.
    let found = record.test_error.expect("there is a test part");
    let error = (errors[0] + errors[1]) / 2.0;
    assert!((found - error).abs() < 1e-4 * error, "{found} {error}");
    let found = record.r_squared.expect("of quantities").test;
    let found = found.expect("they differ");
    let share = (shares[0] + shares[1]) / 2.0;
    assert!((found - share).abs() < 1e-4, "{found} {share}");
    // It learns: the noise leaves about 0.998 of the second, and all of the first.
    assert!(share > 0.9, "{share}");
    assert!(training.held_out_correct().is_empty());
}

/// Measurements of a run, without the times.
fn measured(training: &Training) -> Vec<EpochRecord> {
    let timeless = |record: &EpochRecord| EpochRecord {
        seconds: 0.0,
        seconds_estimating: 0.0,
        seconds_optimizing: 0.0,
        ..record.clone()
    };
    training.records().iter().map(timeless).collect()
}

#[test]
fn an_epoch_that_was_paused_and_stored_measures_what_one_without_does() {
    let dataset = planes(100);
    let config = with(config(&dataset), &[("n_validation", "20")]);
    let mut whole = training(config.clone(), &dataset);
    run(&mut whole, 2);

    let mut first = training(config.clone(), &dataset);
    run(&mut first, 1);
    let paused = first.run_epoch(|progress| match progress.n_updates {
        4 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert!(paused.expect("finite").is_none());
    let unfinished = first.unfinished().expect("paused");
    assert_eq!((unfinished.fits.len(), unfinished.sums.n_examples), (2, 32));
    let folder = tempfile::tempdir().expect("a temporary folder");
    first.checkpoint().save(folder.path()).expect("room");
    let checkpoint = Checkpoint::load_latest(folder.path());
    let checkpoint = checkpoint.expect("whole").expect("one");
    let mut second = training(config, &dataset);
    second = second.restore(checkpoint).expect("the same network");
    run(&mut second, 1);
    assert_eq!(measured(&second), measured(&whole));
    assert_eq!(
        named_parameters(second.learner()),
        named_parameters(whole.learner())
    );
    let r_squared = whole.records()[1].r_squared.expect("of quantities");
    assert!(r_squared.train.is_some() && r_squared.validation.is_some());
    assert_eq!(
        whole.records()[1].held_out_r_squared(),
        r_squared.validation
    );
}

#[test]
fn presets_are_made_fit_for_quantities() {
    let dataset = planes(50);
    for preset in Preset::ALL {
        let config = preset.config_for(&dataset.kind);
        if config.network.output_activation == Activation::Phase {
            let refused = config.validate();
            assert!(matches!(refused, Err(TrainingError::TargetsOfPhases)));
            continue;
        }
        assert_eq!(config.network.output_activation, Activation::Identity);
        // Convolutions have no image to look at, and say so.
        let outcome = config.validate();
        match outcome {
            Err(TrainingError::HiddenLayer { .. }) => {}
            other => other.unwrap_or_else(|error| panic!("{}: {error}", preset.name())),
        }
    }
    let paper = Preset::Paper1h.config_for(&dataset.kind);
    assert_eq!(paper.phases.nudging, Nudging::RandomSign { beta: 0.5 });
    assert_eq!(
        paper.energy().layers.last().expect("an output").n_units(),
        2
    );
}

#[test]
fn what_cannot_have_the_values_of_quantities_is_refused() {
    let dataset = planes(50);
    let mut bounded = config(&dataset);
    bounded.network.output_activation = Activation::HardSigmoid;
    let said = bounded
        .validate()
        .expect_err("no value below 0")
        .to_string();
    assert!(
        said.contains("\"hard_sigmoid\"") && said.contains("identity"),
        "{said}"
    );
    let mut readout = config(&dataset);
    readout.network.cost = CostConfig::CrossEntropy;
    let said = readout.validate().expect_err("of classes").to_string();
    assert!(said.contains("cross_entropy"), "{said}");
    // Examples with classes for a network of quantities, and the other way round.
    let mut of_classes = dataset.clone();
    of_classes.train.targets = None;
    of_classes.train.n_classes = 2;
    of_classes.train.labels = vec![0; 40];
    let outcome = Training::new(config(&dataset), &of_classes, &Device::default());
    assert!(matches!(outcome.err(), Some(TrainingError::Targets)));
    let outcome = Training::new(eqprop_testing::config(), &dataset, &Device::default());
    assert!(outcome.is_err());
}

#[test]
fn parts_of_examples_keep_their_quantities() {
    let train = planes(50).train;
    assert_eq!(
        (train.len(), train.n_outputs(), train.n_classes),
        (40, 2, 0)
    );
    let (rest, tail) = train.clone().split_tail(15);
    assert_eq!((rest.len(), tail.len()), (25, 15));
    assert_eq!(tail.quantities(0), train.quantities(25));
    let first = train.clone().take(3);
    assert_eq!((first.len(), first.quantities(2)), (3, train.quantities(2)));
}
