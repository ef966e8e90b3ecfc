//! Several labels at once in the place of classes.

use std::ops::ControlFlow;

use burn::data::dataloader::Progress;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use burn::train::InferenceStep;
use burn::train::metric::{
    Adaptor, HammingScore, HammingScoreInput, Metric, MetricMetadata, Numeric,
};
use eqprop_core::activation::Activation;
use eqprop_core::cost::CostConfig;
use eqprop_testing::{Numbers, named_parameters, run, training, with};
use eqprop_train::batch::{BatchLoader, Order};
use eqprop_train::checkpoint::Checkpoint;
use eqprop_train::config::{ClassWeights, TrainingConfig};
use eqprop_train::data::{DataFiles, Dataset, Examples, TargetKind, Task};
use eqprop_train::error::TrainingError;
use eqprop_train::preset::Preset;
use eqprop_train::training::{EpochRecord, Training, evaluate};

/// A table of four inputs and three labels of them, two of which are there together more often than not.
fn scenes(n: usize) -> Dataset {
    let mut numbers = Numbers(11);
    let mut text = String::from("a,b,c,d,beach,sunset,city\n");
    for _ in 0..n {
        let [a, b, c, d]: [f64; 4] = std::array::from_fn(|_| numbers.uniform(-1.0, 1.0));
        let labels = [a + b > 0.0, a + b - c > 0.4, d - c > 0.6];
        let [beach, sunset, city] = labels.map(u8::from);
        text += &format!("{a},{b},{c},{d},{beach},{sunset},{city}\n");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("scenes.csv");
    std::fs::write(&path, text).expect("room on the disk");
    let files = DataFiles {
        target: Some("beach,sunset,city".into()),
        task: Some(Task::Labels),
        ..DataFiles::new(path.to_str().expect("a plain name"))
    };
    files.look().expect("a table")
}

fn config(dataset: &Dataset) -> TrainingConfig {
    let config = Preset::Digits.config_for(&dataset.kind);
    with(config, &[("hidden", "[24]"), ("epochs", "20")])
}

/// Which labels a network finds in each example.
fn found(training: &Training, examples: &Examples) -> Vec<Vec<usize>> {
    let shape = [examples.len(), examples.n_inputs()];
    let input = TensorData::new(examples.inputs.clone(), shape);
    let input = Tensor::<2>::from_data(input, &Device::default());
    let output = training.learner().valid().infer(&input);
    let output = output.state.output().clone().into_data();
    let output: Vec<f64> = output.iter::<f64>().collect();
    let rows = output.chunks_exact(examples.n_outputs());
    rows.map(|row| {
        let labels = 0..row.len();
        labels.filter(|&label| row[label] > 0.5).collect()
    })
    .collect()
}

#[test]
fn an_epoch_reports_the_share_of_wrong_labels_and_of_exact_matches() {
    let dataset = scenes(500);
    let mut training = training(config(&dataset), &dataset);
    run(&mut training, 20);
    let record = training.records().last().expect("twenty epochs");

    let test = &dataset.test;
    let (n, n_labels) = (test.len(), 3);
    let found = found(&training, test);
    let is_right =
        |i: usize, label: usize| found[i].contains(&label) == test.label_set(i).contains(&label);
    let of_labels = (0..n).flat_map(|i| (0..n_labels).map(move |label| (i, label)));
    let expected: Vec<bool> = of_labels.map(|(i, label)| is_right(i, label)).collect();
    let n_wrong = expected.iter().filter(|is_right| !**is_right).count();
    let n_exact = expected
        .chunks_exact(n_labels)
        .filter(|row| row.iter().all(|&right| right));
    let (error, exact) = (
        n_wrong as f64 / (n * n_labels) as f64,
        n_exact.count() as f64 / n as f64,
    );
    // An output as near ½ as rounding may be on either side.
    let one = 1.5 / n as f64;
    let reported = record.test_error.expect("there is a test part");
    assert!(
        (reported - error).abs() < one / n_labels as f64,
        "{reported} {error}"
    );
    let reported = record
        .exact_matches
        .expect("of labels")
        .test
        .expect("a test part");
    assert!((reported - exact).abs() < one, "{reported} {exact}");
    assert_eq!(record.held_out_exact_matches(), Some(reported));
    assert!(record.r_squared.is_none());
    let correct = training.held_out_correct();
    assert_eq!(correct.len(), n * n_labels);
    let n_other = correct
        .iter()
        .zip(&expected)
        .filter(|(a, b)| a != b)
        .count();
    assert!(n_other <= 1, "{n_other}");
    // It learns: to say of each label what is more frequent would leave a third of them wrong.
    assert!(error < 0.15 && exact > 0.6, "{error} {exact}");

    let loader = BatchLoader::new(test, 30, Order::Sequential, &Device::default());
    let evaluation = evaluate(training.learner(), &loader).expect("in memory");
    let sums = evaluation.labels.clone().expect("of labels");
    for (label, counts) in sums.counts.iter().enumerate() {
        let there = (0..n)
            .filter(|&i| test.label_set(i).contains(&label))
            .count();
        assert_eq!(counts.n_examples(), there);
        assert!(counts.f1().expect("it is there") > 0.6, "{counts:?}");
    }
    let n_missed: usize = sums
        .counts
        .iter()
        .map(|counts| counts.false_positives + counts.false_negatives)
        .sum();
    let shares = n_missed as f64 / (n * n_labels) as f64;
    assert!((evaluation.error - shares).abs() < 1e-12);
    assert_eq!(
        evaluation.exact_matches(),
        Some(sums.exact as f64 / n as f64)
    );
    assert!(evaluation.quantities.is_empty());

    // Burn's own metric says the same.
    let model = training.learner().valid();
    let mut metric = HammingScore::new();
    let whole = BatchLoader::new(test, n, Order::Sequential, &Device::default());
    let batch = whole.batches(0, 0).next().expect("all of them");
    let batch = batch.expect("in memory");
    let input: HammingScoreInput = InferenceStep::step(&model, batch).adapt();
    let metadata = MetricMetadata {
        progress: Progress {
            items_processed: 1,
            items_total: 1,
            unit: None,
        },
        iteration: None,
        lr: None,
    };
    metric.update(&input, &metadata).expect("finite");
    let score = metric.value().expect("one batch").current();
    assert!(
        (score / 100.0 - (1.0 - error)).abs() < one / n_labels as f64 + 1e-6,
        "{score}"
    );
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
fn an_epoch_that_was_paused_and_stored_counts_what_one_without_does() {
    let dataset = scenes(100);
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
    let labels = first.unfinished().expect("paused").labels.clone();
    let labels = labels.expect("of labels");
    assert!(
        labels.counts.len() == 3 && labels.counts[0].n_examples() > 0,
        "{labels:?}"
    );
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
    let record = &whole.records()[1];
    let exact = record.exact_matches.expect("of labels");
    assert!(exact.train.is_some() && exact.validation.is_some());
    assert_eq!(record.held_out_exact_matches(), exact.validation);
}

#[test]
fn every_preset_has_an_output_for_each_label() {
    let dataset = scenes(50);
    for preset in Preset::ALL {
        let config = preset.config_for(&dataset.kind);
        let own = preset.config().network.output_activation;
        assert_eq!(config.network.output_activation, own);
        if own == Activation::Phase {
            let refused = config.validate();
            assert!(matches!(refused, Err(TrainingError::TargetsOfPhases)));
            continue;
        }
        // Convolutions have no image to look at, and say so.
        match config.validate() {
            Err(TrainingError::HiddenLayer { .. }) => continue,
            other => other.unwrap_or_else(|error| panic!("{}: {error}", preset.name())),
        }
        let layers = config.energy().layers;
        assert_eq!(layers.last().expect("an output").n_units(), 3);
    }
}

#[test]
fn what_cannot_have_several_labels_at_once_is_refused() {
    let dataset = scenes(50);
    let refused = |change: &dyn Fn(&mut TrainingConfig)| {
        let mut config = config(&dataset);
        change(&mut config);
        config.validate().expect_err("it cannot").to_string()
    };
    let said = refused(&|config| config.network.cost = CostConfig::CrossEntropy);
    assert!(
        said.contains("\"cross_entropy\"") && said.contains("several labels"),
        "{said}"
    );
    for activation in [Activation::Softmax, Activation::ClippedRelu { max: 0.5 }] {
        let said = refused(&|config| config.network.output_activation = activation);
        assert!(
            said.contains("for each label by itself") && said.contains("hard_sigmoid"),
            "{said}"
        );
    }
    let said = refused(&|config| config.data.class_weights = Some(ClassWeights::Balanced));
    assert!(
        said.contains("several labels at once: set class_weights to null"),
        "{said}"
    );

    // Other targets than those of the configuration, or in another order.
    let mut turned = dataset.clone();
    let targets = turned.train.targets.as_mut().expect("labels");
    let mut names = targets.kind.labels().expect("labels").to_vec();
    names.reverse();
    targets.kind = TargetKind::Labels(names);
    let outcome = Training::new(config(&dataset), &turned, &Device::default());
    assert!(matches!(outcome.err(), Some(TrainingError::Targets)));
    let mut as_quantities = dataset.clone();
    let targets = as_quantities.train.targets.as_mut().expect("labels");
    let names = targets.kind.labels().expect("labels").to_vec();
    let quantities = eqprop_train::data::Quantities::unscaled(names);
    targets.kind = TargetKind::Quantities(quantities);
    let outcome = Training::new(config(&dataset), &as_quantities, &Device::default());
    assert!(matches!(outcome.err(), Some(TrainingError::Targets)));
    let outcome = Training::new(eqprop_testing::config(), &dataset, &Device::default());
    assert!(outcome.is_err());
}
