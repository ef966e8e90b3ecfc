//! The UCI handwritten digits that are compiled into the crate, and their fixed split.
//!
//! The file has no split of its own. Ours is stratified and uses no random numbers, so that every
//! run on every machine is evaluated on the same 360 examples:
//!
//! 1. The classes share the test examples in proportion to their sizes. Shares are rounded down, and
//!    the remaining examples go to the largest remainders (the lower class on a tie): 35 to 37 each.
//! 2. The `n` examples of a class, in file order, are cut into as many equal stretches as the
//!    class has test examples, and the middle of each stretch is a test example. Spreading them
//!    evenly matters, because neighbors in the file are often by the same hand.
//!
//! Both splits keep the order of the file.

use flate2::read::GzDecoder;

use super::{Dataset, DatasetKind, Examples};

static DIGITS_CSV_GZ: &[u8] = include_bytes!("../../assets/digits.csv.gz");

const N_TEST: usize = 360;
const MAX_PIXEL: f32 = 16.0;
const INTACT: &str = "the digits compiled into the crate are intact, as a test checks";

/// Unpacks the digits and splits them into 1437 training and 360 test examples.
pub(super) fn load() -> Dataset {
    let kind = DatasetKind::Digits;
    let empty = Examples {
        inputs: Vec::new(),
        labels: Vec::new(),
        shape: kind.image_shape(),
        n_classes: kind.n_classes(),
        targets: None,
        stream: None,
    };
    let rows = rows(kind.n_inputs());
    let labels: Vec<u8> = rows.iter().map(|(_, label)| *label).collect();
    let is_test = choose_test(&labels, kind.n_classes(), N_TEST);

    let (mut train, mut test) = (empty.clone(), empty);
    for ((pixels, label), is_test) in rows.into_iter().zip(is_test) {
        let split = if is_test { &mut test } else { &mut train };
        split.inputs.extend(pixels);
        split.labels.push(label);
    }
    Dataset::new(kind, train, test)
}

/// Returns the scaled pixels and the label of every row of the file.
fn rows(n_inputs: usize) -> Vec<(Vec<f32>, u8)> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(GzDecoder::new(DIGITS_CSV_GZ))
        .deserialize::<Vec<u8>>()
        .map(|row| {
            let row = row.expect(INTACT);
            let (pixels, label) = row.split_at(n_inputs);
            let pixels = pixels.iter().map(|&p| f32::from(p) / MAX_PIXEL).collect();
            (pixels, label[0])
        })
        .collect()
}

/// Marks `n_test` of the examples as test examples, by the rule in the module documentation.
pub(super) fn choose_test(labels: &[u8], n_classes: usize, n_test: usize) -> Vec<bool> {
    let mut members = vec![Vec::new(); n_classes];
    for (i, &label) in labels.iter().enumerate() {
        members[usize::from(label)].push(i);
    }
    let sizes: Vec<usize> = members.iter().map(Vec::len).collect();

    let mut is_test = vec![false; labels.len()];
    for (members, n_chosen) in members.iter().zip(shares(&sizes, n_test)) {
        for j in 0..n_chosen {
            // The middle of stretch j: (j + 1/2) · n / n_chosen, rounded down.
            is_test[members[(2 * j + 1) * members.len() / (2 * n_chosen)]] = true;
        }
    }
    is_test
}

/// Divides `n` among classes in proportion to their sizes, by largest remainder.
pub(super) fn shares(sizes: &[usize], n: usize) -> Vec<usize> {
    let total: usize = sizes.iter().sum();
    let mut shares: Vec<usize> = sizes.iter().map(|size| size * n / total).collect();
    let n_left = n - shares.iter().sum::<usize>();

    let mut classes: Vec<usize> = (0..sizes.len()).collect();
    // The sort is stable: on a tie the lower class stays ahead.
    classes.sort_by_key(|&class| std::cmp::Reverse(sizes[class] * n % total));
    for &class in &classes[..n_left] {
        shares[class] += 1;
    }
    shares
}
