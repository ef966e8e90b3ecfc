use super::*;

const SHAPE: [usize; 3] = [2, 3, 4];

/// Two channels of 3×4 pixels, all different.
fn image() -> Vec<f32> {
    (0..24).map(|i| i as f32).collect()
}

fn augmentation(shift: usize, flip: bool) -> Augmentation {
    Augmentation { shift, flip }
}

fn change(rows: i64, columns: i64, flip: bool) -> Change {
    Change {
        rows,
        columns,
        flip,
    }
}

fn changed(change: Change, image: &[f32], shape: [usize; 3]) -> Vec<f32> {
    let mut changed = Vec::new();
    change.apply(image, shape, &mut changed);
    changed
}

/// Mirrors, pads by copies of the edge and crops, one step after the other.
fn reference(image: &[f32], flip: bool, padding: usize, top: usize, left: usize) -> Vec<f32> {
    let [_, height, width] = SHAPE;
    let mut result = Vec::new();
    for channel in image.chunks(height * width) {
        let mut rows: Vec<Vec<f32>> = channel.chunks(width).map(<[f32]>::to_vec).collect();
        for row in &mut rows {
            if flip {
                row.reverse();
            }
            let ends = [row[0], row[width - 1]].map(|end| vec![end; padding]);
            *row = [&ends[0][..], &row[..], &ends[1][..]].concat();
        }
        let first = vec![rows[0].clone(); padding];
        let last = vec![rows[height - 1].clone(); padding];
        let rows = [first, rows, last].concat();
        for row in &rows[top..top + height] {
            result.extend(&row[left..left + width]);
        }
    }
    result
}

#[test]
fn a_small_image_is_changed_as_by_hand() {
    let image = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    // Up by one row, right by one column.
    let expected = [4.0, 4.0, 5.0, 4.0, 4.0, 5.0];
    assert_eq!(changed(change(1, -1, false), &image, [1, 2, 3]), expected);
    let expected = [6.0, 6.0, 5.0, 6.0, 6.0, 5.0];
    assert_eq!(changed(change(1, -1, true), &image, [1, 2, 3]), expected);
}

#[test]
fn a_change_is_a_crop_of_the_padded_image_that_was_mirrored_first() {
    let padding = 5;
    for flip in [false, true] {
        for (top, left) in (0..=10).flat_map(|top| (0..=10).map(move |left| (top, left))) {
            let change = change(top as i64 - 5, left as i64 - 5, flip);
            assert_eq!(
                changed(change, &image(), SHAPE),
                reference(&image(), flip, padding, top, left),
                "{change:?}"
            );
        }
    }
}

#[test]
fn mirroring_twice_changes_nothing() {
    let flip = change(0, 0, true);
    let once = changed(flip, &image(), SHAPE);
    assert_eq!(once[..4], [3.0, 2.0, 1.0, 0.0]);
    assert_eq!(changed(flip, &once, SHAPE), image());
}

#[test]
fn a_shift_beyond_the_image_leaves_one_pixel_of_it() {
    let augmentation = augmentation(usize::MAX, false);
    for example in 0..20 {
        let change = augmentation.draw(1, 2, example);
        for channel in changed(change, &image(), SHAPE).chunks(12) {
            assert_eq!(channel, [channel[0]; 12]);
        }
    }
}

#[test]
fn a_draw_depends_on_seed_epoch_and_example_alone() {
    let augmentation = augmentation(1000, true);
    let draws = |seed, epoch| -> Vec<Change> {
        let draw = |example| augmentation.draw(seed, epoch, example);
        (0..100).map(draw).collect()
    };
    let first = draws(3, 7);
    assert_eq!(draws(3, 7), first);
    let backward: Vec<_> = (0..100).rev().map(|i| augmentation.draw(3, 7, i)).collect();
    assert!(backward.iter().rev().eq(&first));
    // Of 2001² shifts, two agree by chance once in 40,000 pairs of lists.
    for other in [draws(3, 8), draws(4, 7), draws(3, 7)[1..].to_vec()] {
        assert!(first.iter().zip(&other).all(|(a, b)| a != b));
    }
}

#[test]
fn every_shift_and_both_sides_are_equally_likely() {
    let augmentation = augmentation(2, true);
    let n = 1_000_000;
    let changes: Vec<_> = (0..n)
        .map(|example| augmentation.draw(11, 0, example))
        .collect();
    let mut counts = [[[0u32; 2]; 5]; 5];
    for change in &changes {
        let [row, column] = [change.rows, change.columns].map(|offset| (offset + 2) as usize);
        counts[row][column][usize::from(change.flip)] += 1;
    }
    // A share of 1/50 is met within √(1/50 · 49/50 / n) = 0.00014; one shift more or less in a
    // direction would change it by 0.006.
    for count in counts.as_flattened().as_flattened() {
        let share = f64::from(*count) / n as f64;
        assert!((share - 0.02).abs() < 0.0006, "{counts:?}");
    }

    // Examples are independent: two numbers agree in a share of 1/5, within 0.0004. Where they come
    // from the same random words, they would always agree.
    let numbers = |change: &Change| [change.rows, change.columns];
    for (distance, i, j) in (1..=8).flat_map(|d| [(d, 0, 0), (d, 0, 1), (d, 1, 0), (d, 1, 1)]) {
        let pairs = changes.iter().zip(&changes[distance..]);
        let equal = pairs.filter(|(a, b)| numbers(a)[i] == numbers(b)[j]);
        let share = equal.count() as f64 / n as f64;
        assert!((share - 0.2).abs() < 0.002, "{distance} {i} {j}: {share}");
    }
}

#[test]
fn the_mean_of_many_epochs_is_the_mean_of_all_crops() {
    let augmentation = augmentation(1, true);
    let mean_of = |images: &[Vec<f32>]| -> Vec<f32> {
        let sum = |i: usize| images.iter().map(|image| image[i]).sum::<f32>();
        (0..24).map(|i| sum(i) / images.len() as f32).collect()
    };
    let crops = [false, true].into_iter().flat_map(|flip| {
        let places = (0..3).flat_map(|top| (0..3).map(move |left| (top, left)));
        places.map(move |(top, left)| reference(&image(), flip, 1, top, left))
    });
    let expected = mean_of(&crops.collect::<Vec<_>>());
    let epochs = (0..40_000u64).map(|epoch| {
        let change = augmentation.draw(5, epoch, 3);
        changed(change, &image(), SHAPE)
    });
    let found = mean_of(&epochs.collect::<Vec<_>>());
    for (found, expected) in found.iter().zip(&expected) {
        // Pixels of a channel deviate by at most 3.5 from their mean, the mean of 40,000 by 0.018.
        // Without the flip pixels at the sides would be off by more than 1.
        assert!((found - expected).abs() < 0.08, "{found} {expected}");
    }
}

#[test]
fn configurations_name_what_differs_from_none() {
    let read = serde_json::from_str::<Augmentation>;
    assert!(read("{}").unwrap().is_none());
    let shift = augmentation(4, false);
    assert_eq!(read(r#"{"shift": 4}"#).unwrap(), shift);
    assert!(!shift.is_none());
    let text = serde_json::to_string(&shift).unwrap();
    assert_eq!(text, r#"{"shift":4,"flip":false}"#);
    assert!(read(r#"{"shfit": 4}"#).is_err());
}
