//! The loader: which examples, in which order, with which targets.

use burn::data::dataloader::DataLoader;
use burn::tensor::Device;
use eqprop_train::batch::{BatchLoader, Order};
use eqprop_train::data::Examples;

use crate::setup::{loader, values};

/// 11 examples of 3 classes; example `i` has the inputs `i` and `−i`.
fn examples() -> Examples {
    Examples {
        inputs: (0..11u8)
            .flat_map(|i| [f32::from(i), -f32::from(i)])
            .collect(),
        labels: (0..11).map(|i| i % 3).collect(),
        n_inputs: 2,
        n_classes: 3,
    }
}

const SHUFFLED: Order = Order::Shuffled { seed: 5 };

/// The examples of one epoch, batch by batch; checks that inputs and targets are theirs.
fn epoch(loader: &dyn DataLoader<eqprop_train::batch::Batch>) -> Vec<Vec<usize>> {
    let batches = loader.iter().map(|batch| {
        let batch = batch.expect("in memory");
        let indices = batch.indices.expect("a loader knows its examples");
        let inputs = indices.iter().flat_map(|&i| [i as f64, -(i as f64)]);
        assert_eq!(values(&batch.input), inputs.collect::<Vec<_>>());
        let one_hot = indices
            .iter()
            .flat_map(|&i| (0..3).map(move |c| f64::from(c == i % 3)));
        assert_eq!(values(&batch.target), one_hot.collect::<Vec<_>>());
        indices
    });
    batches.collect()
}

fn sorted(batches: &[Vec<usize>]) -> Vec<usize> {
    let mut all = batches.concat();
    all.sort_unstable();
    all
}

#[test]
fn every_example_comes_once_per_epoch_with_its_target() {
    for order in [Order::Sequential, SHUFFLED] {
        let loader = loader(&examples(), 4, order);
        assert_eq!((loader.num_items(), loader.n_batches()), (11, 3));
        for _ in 0..3 {
            let batches = epoch(&loader);
            let sizes: Vec<usize> = batches.iter().map(Vec::len).collect();
            assert_eq!(sizes, [4, 4, 3]);
            assert_eq!(sorted(&batches), (0..11).collect::<Vec<_>>());
            if order == Order::Sequential {
                assert_eq!(batches.concat(), (0..11).collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn a_permutation_depends_on_seed_and_epoch_alone() {
    let first = loader(&examples(), 4, SHUFFLED);
    let orders: Vec<_> = (0..3).map(|_| epoch(&first)).collect();
    assert!(orders[0] != orders[1] && orders[1] != orders[2] && orders[0] != orders[2]);

    // Another loader, other batches, epochs in another order.
    let second = loader(&examples(), 3, SHUFFLED);
    for number in [2, 0, 1] {
        second.set_epoch(number as u64);
        assert_eq!(epoch(&second).concat(), orders[number].concat());
    }
    // The epoch goes on counting from where it was set, also on another device.
    second.set_epoch(1);
    let moved = second.to_device(&Device::flex().autodiff());
    assert_eq!(epoch(&*moved).concat(), orders[1].concat());
    assert_eq!(epoch(&*moved).concat(), orders[2].concat());

    let other = loader(&examples(), 4, Order::Shuffled { seed: 6 });
    assert_ne!(epoch(&other), orders[0]);
}

#[test]
fn a_slice_covers_exactly_its_range() {
    for order in [Order::Sequential, SHUFFLED] {
        let loader = loader(&examples(), 4, order);
        let slice = loader.slice(3, 9);
        assert_eq!(slice.num_items(), 6);
        let batches = epoch(&*slice);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [4, 2]);
        assert_eq!(sorted(&batches), (3..9).collect::<Vec<_>>());
    }
}

#[test]
fn progress_counts_examples() {
    let loader = loader(&examples(), 4, SHUFFLED);
    let mut batches = loader.iter();
    let mut counts = vec![batches.progress().items_processed];
    while batches.next().is_some() {
        counts.push(batches.progress().items_processed);
    }
    assert_eq!(counts, [0, 4, 8, 11]);
    assert_eq!(batches.progress().items_total, 11);
}

#[test]
#[should_panic(expected = "batch_size must be at least 1")]
fn empty_batches_are_refused() {
    BatchLoader::new(&examples(), 0, Order::Sequential, &Device::flex());
}
