//! The loader: which examples, in which order, with which targets.

use burn::data::dataloader::DataLoader;
use burn::tensor::Device;
use eqprop_testing::{loader, values};
use eqprop_train::batch::{Augmentation, Batch, BatchLoader, Order};
use eqprop_train::data::Examples;

/// 11 examples of 3 classes; example `i` has the inputs `i` and `−i`.
fn examples() -> Examples {
    Examples {
        inputs: (0..11u8)
            .flat_map(|i| [f32::from(i), -f32::from(i)])
            .collect(),
        labels: (0..11).map(|i| i % 3).collect(),
        shape: [1, 1, 2],
        n_classes: 3,
        targets: None,
        stream: None,
    }
}

const SHUFFLED: Order = Order::Shuffled { seed: 5 };

/// The examples of one epoch, batch by batch; checks that inputs and targets are theirs.
fn epoch(loader: &dyn DataLoader<Batch>) -> Vec<Vec<usize>> {
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

// ---------------------------------------------------------------------------------- augmentation

/// 11 examples of 3 classes and two channels of 3×4 pixels, all different.
fn images() -> Examples {
    Examples {
        inputs: (0..11 * 24).map(|i| i as f32).collect(),
        labels: (0..11).map(|i| i % 3).collect(),
        shape: [2, 3, 4],
        n_classes: 3,
        targets: None,
        stream: None,
    }
}

const SHIFT_AND_FLIP: Augmentation = Augmentation {
    shift: 2,
    flip: true,
};

fn augmented(batch_size: usize, order: Order) -> BatchLoader {
    loader(&images(), batch_size, order).with_augmentation(SHIFT_AND_FLIP)
}

/// The images of one epoch by the number of their example; checks that targets are theirs.
fn augmented_epoch(loader: &dyn DataLoader<Batch>) -> Vec<Option<Vec<f64>>> {
    let mut images = vec![None; 11];
    for batch in loader.iter() {
        let batch = batch.expect("in memory");
        let indices = batch.indices.expect("a loader knows its examples");
        let (inputs, targets) = (values(&batch.input), values(&batch.target));
        assert_eq!(batch.input.dims(), [indices.len(), 24]);
        for (row, &i) in indices.iter().enumerate() {
            let one_hot: Vec<f64> = (0..3).map(|c| f64::from(c == i % 3)).collect();
            assert_eq!(targets[row * 3..][..3], one_hot);
            let seen = images[i].replace(inputs[row * 24..][..24].to_vec());
            assert_eq!(seen, None, "example {i} comes twice");
        }
    }
    images
}

#[test]
fn an_augmented_image_is_a_crop_of_its_own_example() {
    let loader = augmented(4, SHUFFLED);
    let (mut n_mirrored, mut n_shifted) = (0, 0);
    for _ in 0..20 {
        for (i, image) in augmented_epoch(&loader).iter().enumerate() {
            let image = image.as_ref().expect("every example comes once");
            // The numbers tell where a pixel comes from: 24 i + 12 channel + 4 row + column.
            let source = |channel: usize, row: usize, column: usize| {
                let number = image[12 * channel + 4 * row + column] as usize;
                assert_eq!(number / 12, 2 * i + channel);
                (number % 12 / 4, number % 4)
            };
            let mirrored = source(0, 0, 0).1 > source(0, 0, 3).1;
            let is_crop_at = |top: usize, left: usize| {
                let mut pixels = (0..2 * 12).map(|p| (p / 12, p % 12 / 4, p % 4));
                pixels.all(|(channel, row, column)| {
                    let from_row = (top + row).saturating_sub(2).min(2);
                    let from_column = (left + column).saturating_sub(2).min(3);
                    let from_column = if mirrored {
                        3 - from_column
                    } else {
                        from_column
                    };
                    source(channel, row, column) == (from_row, from_column)
                })
            };
            let mut places = (0..5).flat_map(|top| (0..5).map(move |left| (top, left)));
            let place = places.find(|&(top, left)| is_crop_at(top, left));
            let place = place.expect("some place of the padded image");
            n_mirrored += usize::from(mirrored);
            n_shifted += usize::from(place != (2, 2));
        }
    }
    // Of 220 images a half and 24/25, five deviations (7.4 and 2.9) to each side.
    assert!((73..=147).contains(&n_mirrored), "{n_mirrored}");
    assert!((197..=220).contains(&n_shifted), "{n_shifted}");
}

#[test]
fn augmentation_depends_on_seed_epoch_and_example_alone() {
    let first = augmented(4, SHUFFLED);
    let epochs: Vec<_> = (0..3).map(|_| augmented_epoch(&first)).collect();
    assert!(epochs[0] != epochs[1] && epochs[1] != epochs[2] && epochs[0] != epochs[2]);

    // Another batch size and another order, epochs in another order.
    let second = augmented(3, Order::Sequential).with_augmentation_seed(5);
    for number in [2, 0, 1] {
        second.set_epoch(number as u64);
        assert_eq!(augmented_epoch(&second), epochs[number]);
    }
    let other = augmented(4, Order::Shuffled { seed: 6 });
    assert_ne!(augmented_epoch(&other), epochs[0]);
    assert_ne!(augmented_epoch(&augmented(4, Order::Sequential)), epochs[0]);
}

#[test]
fn loaders_that_are_moved_or_sliced_keep_their_augmentation() {
    let loader = augmented(4, SHUFFLED);
    let expected = augmented_epoch(&loader);
    loader.set_epoch(0);
    let device = Device::flex().autodiff();
    let moved = loader.to_device(&device);
    assert_eq!(augmented_epoch(&*moved), expected);
    let batch = moved.iter().next().expect("a batch").expect("in memory");
    assert_eq!(batch.input.device(), device);
    assert_eq!(batch.target.device(), device);

    let slice = augmented_epoch(&*loader.slice(3, 9));
    assert_eq!(slice[3..9], expected[3..9]);
    assert_eq!(slice.iter().flatten().count(), 6);
}

#[test]
fn no_augmentation_leaves_the_images_as_they_are() {
    let plain = augmented_epoch(&loader(&images(), 4, SHUFFLED));
    let none = loader(&images(), 4, SHUFFLED).with_augmentation(Augmentation::default());
    assert_eq!(augmented_epoch(&none), plain);
    // Also where images lie on the host because of an augmentation that was taken back.
    let none = augmented(4, SHUFFLED).with_augmentation(Augmentation::default());
    assert_eq!(augmented_epoch(&none), plain);
    assert_eq!(plain[1].as_deref().map(|image| image[5]), Some(29.0));
}
