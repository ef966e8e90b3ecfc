//! Trainings whose inputs stay in their files.

use std::ops::ControlFlow;

use burn::data::dataloader::DataLoader;
use burn::tensor::{Device, Tensor};
use eqprop_testing::{loader, named_parameters, training, with};
use eqprop_train::batch::{Augmentation, Batch, BatchLoader, Order};
use eqprop_train::checkpoint::Checkpoint;
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::Dataset;
use eqprop_train::preset::Preset;
use eqprop_train::training::{EpochRecord, Training};

use super::{Place, all, write_idx};

/// A small network for these data, on every kind of path: padded, normalized, augmented, with examples held out.
pub(super) fn config(dataset: &Dataset) -> TrainingConfig {
    let config = Preset::Digits.config_for(&dataset.kind);
    let config = with(
        config,
        &[
            ("hidden", "[12]"),
            ("n_validation", "7"),
            ("batch_size", "8"),
            ("free_steps", "4"),
            ("nudged_steps", "2"),
            ("tolerance", "null"),
            ("normalize", "true"),
            ("epochs", "2"),
        ],
    );
    match dataset.kind.has_pixels() {
        true => with(
            config,
            &[
                ("padding", "1"),
                ("augmentation", r#"{"shift": 1, "flip": true}"#),
            ],
        ),
        false => config,
    }
}

/// A training on data as they are prepared for it.
pub(super) fn prepared(config: &TrainingConfig, dataset: &Dataset) -> Training {
    let dataset = config.prepare_data(dataset.clone()).unwrap();
    training(config.clone(), &dataset)
}

/// Measurements of an epoch, without the times.
fn timeless(record: &EpochRecord) -> EpochRecord {
    EpochRecord {
        seconds: 0.0,
        seconds_estimating: 0.0,
        seconds_optimizing: 0.0,
        ..record.clone()
    }
}

/// All that a training has learned and measured.
fn outcome(training: &Training) -> (Vec<(String, Vec<u64>)>, Vec<EpochRecord>) {
    let parameters = named_parameters(training.learner());
    let bits = parameters.into_iter().map(|(name, numbers)| {
        let bits = numbers.iter().map(|number| number.to_bits());
        (name, bits.collect())
    });
    let records = training.records().iter().map(timeless);
    (bits.collect(), records.collect())
}

fn finish(training: &mut Training) {
    while !training.is_finished() {
        let record = training.run_epoch(|_| ControlFlow::Continue(()));
        record.unwrap().unwrap();
    }
}

#[test]
fn a_streamed_training_is_that_in_memory_to_the_last_bit() {
    let place = Place::new();
    for (name, files) in all(&place) {
        let [in_memory, streamed] = [files.look(), files.look_streaming()].map(|found| {
            let dataset = found.unwrap();
            let mut training = prepared(&config(&dataset), &dataset);
            finish(&mut training);
            training
        });
        assert_eq!(outcome(&streamed), outcome(&in_memory), "{name}");
        assert_eq!(
            streamed.held_out_correct(),
            in_memory.held_out_correct(),
            "{name}"
        );
    }
}

#[test]
fn a_streamed_training_resumes_within_an_epoch_to_the_last_bit() {
    let place = Place::new();
    write_idx(&place, 300);
    let files = place.files("idx");
    let in_memory = files.look().unwrap();
    let config = config(&in_memory);
    let mut whole = prepared(&config, &in_memory);
    finish(&mut whole);

    let folder = tempfile::tempdir().unwrap();
    let mut n_pauses = 0;
    loop {
        // Everything anew each time, as after a kill.
        let dataset = files.look_streaming().unwrap();
        assert_eq!(dataset.fingerprint(), in_memory.fingerprint());
        let mut part = prepared(&config, &dataset);
        if let Some(kept) = Checkpoint::load_latest(folder.path()).unwrap() {
            part = part.restore(kept).unwrap();
        }
        let mut n_updates = 0;
        let record = part.run_epoch(|_| {
            n_updates += 1;
            match n_updates < 11 {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        });
        n_pauses += usize::from(record.unwrap().is_none());
        part.checkpoint().save(folder.path()).unwrap();
        if part.is_finished() {
            assert!(n_pauses > 3, "{n_pauses}");
            assert_eq!(outcome(&part), outcome(&whole));
            return;
        }
    }
}

fn numbers(tensor: Tensor<2>) -> Vec<u32> {
    let data = tensor.into_data();
    data.iter::<f32>().map(f32::to_bits).collect()
}

/// Inputs, targets and indices.
fn parts(batch: Batch) -> (Vec<u32>, Vec<u32>, Vec<usize>) {
    let indices = batch.indices.unwrap();
    (numbers(batch.input), numbers(batch.target), indices)
}

#[test]
fn batches_are_read_ahead_in_the_order_of_the_epoch() {
    let place = Place::new();
    write_idx(&place, 300);
    let files = place.files("idx");
    let [in_memory, streamed] =
        [files.look(), files.look_streaming()].map(|found| found.unwrap().train);
    let order = Order::Shuffled { seed: 3 };
    let augmentation = Augmentation {
        shift: 2,
        flip: true,
    };
    let plain = |examples| loader(examples, 7, order);
    let changed = |examples| plain(examples).with_augmentation(augmentation);
    let mut n_seen = 0;
    for [memory, files] in [
        [plain(&in_memory), plain(&streamed)],
        [changed(&in_memory), changed(&streamed)],
    ] {
        for (epoch, first) in [
            (0, 0),
            (1, 0),
            (1, 5),
            (2, files.n_batches() - 1),
            (2, 1000),
        ] {
            let of = |loader: &BatchLoader| {
                let batches = loader.batches(epoch, first);
                batches
                    .map(|batch| parts(batch.unwrap()))
                    .collect::<Vec<_>>()
            };
            let found = of(&files);
            n_seen += found.len();
            assert!(found == of(&memory), "epoch {epoch} from {first}");
        }
        // By Burn's loop, a part of it, and left in the middle.
        let (memory, files) = (memory.slice(10, 100), files.slice(10, 100));
        for _ in 0..2 {
            let of = |loader: &dyn DataLoader<Batch>, n: usize| {
                let batches = loader.iter().take(n);
                batches
                    .map(|batch| parts(batch.unwrap()))
                    .collect::<Vec<_>>()
            };
            assert!(of(&*files, 4) == of(&*memory, 4));
        }
        let moved = files.to_device(&Device::flex());
        assert_eq!(moved.num_items(), 90);
        let of = |loader: &dyn DataLoader<Batch>| {
            let batches = loader.iter();
            batches
                .map(|batch| parts(batch.unwrap()))
                .collect::<Vec<_>>()
        };
        assert!(of(&*moved) == of(&*memory));
    }
    assert!(n_seen > 2 * 100, "{n_seen}");
}
