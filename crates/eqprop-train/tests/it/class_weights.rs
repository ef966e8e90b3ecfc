//! Classes that count more than others.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use eqprop_testing::{config, digits, explained, named_parameters, run, training, with};
use eqprop_train::config::{ClassWeights, TrainingConfig};
use eqprop_train::error::TrainingError;
use eqprop_train::training::Training;

fn weighted(weights: &str) -> TrainingConfig {
    with(config(), &[("class_weights", weights)])
}

#[test]
fn weights_of_1_change_nothing() {
    let dataset = digits(100, 20);
    let train = |config: TrainingConfig| {
        let mut training = training(config, &dataset);
        run(&mut training, 1);
        named_parameters(training.learner())
            .into_iter()
            .map(|(_, numbers)| numbers)
            .collect::<Vec<_>>()
    };
    assert_eq!(train(weighted("[1,1,1,1,1,1,1,1,1,1]")), train(config()));
}

#[test]
fn a_class_without_weight_is_never_predicted() {
    let dataset = digits(300, 100);
    let mut training = training(weighted("[0,1,1,1,1,1,1,1,1,1]"), &dataset);
    run(&mut training, 4);
    let test = &dataset.test;
    let input = TensorData::new(test.inputs.clone(), [test.len(), test.n_inputs()]);
    let input = Tensor::<2>::from_data(input, &Device::flex());
    let output = training.learner().valid().infer(&input);
    let output = output.state.output().clone().argmax(1).into_data();
    let predicted: Vec<i64> = output.iter::<i64>().collect();
    let n_right = predicted.iter().zip(&test.labels);
    let n_right = n_right
        .filter(|(found, label)| **found == i64::from(**label))
        .count();
    assert!(!predicted.contains(&0), "{predicted:?}");
    assert!(n_right > 50, "{n_right} of 100");
}

#[test]
fn balanced_weights_are_those_of_the_training_examples() {
    let balanced = ClassWeights::Balanced;
    assert_eq!(balanced.weights(&[0, 0, 0, 1], 2), [1.0 / 3.0, 1.0]);
    // A class without examples counts for nothing, and the others as if it were not there.
    assert_eq!(balanced.weights(&[0, 2], 3), [1.0, 0.0, 1.0]);
    let mut dataset = digits(200, 20);
    dataset.train.labels[..100].fill(7);
    let config = with(weighted("balanced"), &[("n_validation", "50")]);
    let training = training(config, &dataset);
    let found = training.config().data.class_weights.clone();
    let expected = balanced.weights(&dataset.train.labels[..150], 10);
    assert!(expected[7] < 0.1 && expected.contains(&1.0), "{expected:?}");
    assert_eq!(found, Some(ClassWeights::Of(expected)));
    // Written and read, it stays the same; and without it nothing is written.
    let text = serde_json::to_string(training.config()).expect("plain");
    let read = TrainingConfig::from_json(&text).expect("as written");
    assert_eq!(read, *training.config());
    let text = serde_json::to_string(&eqprop_testing::config()).expect("plain");
    assert!(!text.contains("class_weights"), "{text}");
}

#[test]
fn weights_that_cannot_be_are_refused() {
    for weights in ["[1,2]", "[0,0,0,0,0,0,0,0,0,0]", "[-1,1,1,1,1,1,1,1,1,1]"] {
        let error = weighted(weights).validate().expect_err("impossible");
        assert!(
            matches!(error, TrainingError::ClassWeights { .. }),
            "{error}"
        );
        let said = error.to_string();
        assert!(said.contains("10 numbers of at least 0"), "{said}");
    }
    for weights in ["even", "3"] {
        let error = config()
            .with_override("class_weights", weights)
            .expect_err("no weights");
        let said = explained(&error);
        assert!(said.contains("balanced or [1.0, 2.5] or null"), "{said}");
    }
    // With the weight of 3, a β of ½ is one of 1½ for class 0.
    let strong = weighted("[3,1,1,1,1,1,1,1,1,1]");
    assert!(strong.validate().is_err());
    assert!(Training::new(strong, &digits(20, 10), &Device::flex()).is_err());
}
