use std::error::Error;
use std::ops::ControlFlow;

use burn::tensor::Device;
use eqprop_core::connection::ConvolutionConfig;

use super::*;
use crate::data::{DataFiles, DataFormat, Dataset, DatasetKind, Examples, Findings, Scaling};
use crate::training::Training;

/// Two examples in the shape of a data set, of any pixels.
fn synthetic(kind: &DataSource) -> Dataset {
    let examples = || {
        let shape = kind.image_shape();
        let n_inputs = 2 * kind.n_inputs();
        Examples {
            inputs: (0..n_inputs).map(|i| (i % 256) as f32 / 255.0).collect(),
            labels: vec![3, 8],
            shape,
            n_classes: kind.n_classes(),
            targets: None,
            stream: None,
        }
    };
    Dataset::new(kind, examples(), examples())
}

/// Takes one step with a configuration as it stands, but for few steps of its phases.
fn step(mut config: TrainingConfig) -> Result<(), Box<dyn Error>> {
    (config.batch_size, config.epochs) = (2, 1);
    config.phases.free_steps = config.phases.free_steps.min(2);
    config.phases.nudged_steps = config.phases.nudged_steps.min(2);
    config.validate()?;
    let dataset = synthetic(&config.data.dataset).map(|examples| config.data.prepare(examples));
    let mut training = Training::new(config, &dataset, &Device::flex())?;
    let record = training.run_epoch(|_| ControlFlow::Continue(()))?;
    let record = record.ok_or("stopped")?;
    assert!(record.train_cost.is_finite());
    Ok(())
}

#[test]
fn every_preset_takes_a_step_on_every_data_set() {
    for preset in Preset::ALL {
        for dataset in DatasetKind::ALL {
            let config = preset.config_for(dataset);
            let outcome = step(config);
            assert!(outcome.is_ok(), "{}, {dataset}: {outcome:?}", preset.name());
        }
    }
}

#[test]
fn a_preset_for_another_data_set_differs_in_data_set_and_padding_only() {
    for preset in Preset::ALL {
        let own = preset.config();
        assert_eq!(preset.config_for(&own.data.dataset), own, "{preset:?}");
        for dataset in DatasetKind::ALL {
            let config = preset.config_for(dataset);
            assert_eq!(config.data.dataset, dataset);
            let mut differences = own.differences(&config);
            differences.retain(|key| *key != "dataset" && *key != "padding");
            assert!(differences.is_empty(), "{}: {differences:?}", preset.name());
        }
    }
}

#[test]
fn images_are_padded_to_the_size_that_a_preset_is_made_for() {
    for (preset, padding) in [
        (Preset::Dchn, [12, 2, 2, 0]),
        (Preset::PcnVgg5, [12, 2, 2, 0]),
        (Preset::HopfieldResnet13, [12, 2, 2, 0]),
        (Preset::ConvMnist, [10, 0, 0, 0]),
        (Preset::Paper1h, [0; 4]),
    ] {
        let padding_for = |dataset| preset.config_for(dataset).data.padding;
        let found = DatasetKind::ALL.map(padding_for);
        assert_eq!(found[..4], padding, "{}", preset.name());
        // The others have images as those of MNIST and CIFAR-10.
        assert!(found[4..12].iter().all(|found| *found == padding[1]));
        assert_eq!(found[12], padding[3]);
    }
}

#[test]
fn the_first_rate_is_lower_for_examples_that_are_much_longer() {
    let files = |shape: [usize; 3], mean: f32| DataFiles {
        found: Some(Findings {
            format: DataFormat::Images,
            shape,
            classes: vec!["a".into(), "b".into()],
            quantities: None,
            labels: Vec::new(),
            columns: Vec::new(),
            scaling: Scaling::None,
            mean: vec![mean; shape[0]],
            deviation: vec![0.0; shape[0]],
            n_train: 10,
            n_test: 10,
        }),
        ..DataFiles::new("photos")
    };
    let rates =
        |preset: Preset, files: DataFiles| preset.config_for(files).optimizer.learning_rates;
    let own = Preset::Paper1h.config().optimizer.learning_rates;
    // MNIST has 784·(0.1307² + 0.3081²) = 87.81 in the mean, these 10,000·0.5² = 2500.
    let long = rates(Preset::Paper1h, files([1, 100, 100], 0.5));
    assert_eq!(long, [0.007, own[1]]);
    assert_eq!(own[0], 0.2);
    assert_eq!(rates(Preset::Paper1h, files([1, 28, 28], 0.4)), own);
    // A convolution looks at a part of an image.
    let convolutional = Preset::ConvMnist.config().optimizer.learning_rates;
    assert_eq!(
        rates(Preset::ConvMnist, files([1, 100, 100], 0.5)),
        convolutional
    );
}

#[test]
fn a_network_that_images_do_not_fit_is_refused_with_sizes_and_remedy() {
    for (preset, dataset, padding, expected) in [
        (
            Preset::Dchn,
            DatasetKind::Cifar10,
            2,
            "hidden layer 3 is … onto 256×9×9 units, … of 32x32 with padding 2 … padding to 0",
        ),
        (
            Preset::ConvMnist,
            DatasetKind::Digits,
            0,
            "hidden layer 2 is … onto 32×2×2 units, … of 8x8 with padding 0 … padding to 4",
        ),
    ] {
        let mut config = preset.config_for(dataset);
        config.data.padding = padding;
        let said = config.validate().unwrap_err().to_string();
        for part in expected.split(" … ") {
            assert!(said.contains(part), "{part:?} is not in: {said}");
        }
    }
    // Where no padding helps, none is named.
    let mut config = Preset::Dchn.config();
    config.network.hidden = vec![10.into(), HiddenLayer::maps(2, ConvolutionConfig::new(3))];
    let said = config.validate().unwrap_err().to_string();
    assert!(
        said.contains("hidden layer 2 ") && !said.contains("padding to"),
        "{said}"
    );
}
