//! Arrays: types, orders, layouts, and which belong together.

use super::*;

/// A data set of one array of inputs in place of `x`, with two classes.
fn with_inputs(place: &Place, x: Vec<u8>, n: usize) -> Dataset {
    let labels: Vec<u8> = (0..n).map(|i| (i % 2) as u8).collect();
    let y = npy("|u1", &[n], &labels);
    place.write("a.npz", npz(&[("x", x), ("y", y)], false));
    let files = DataFiles {
        scaling: Some(ScalingKind::None),
        ..place.files("a.npz")
    };
    files.look().unwrap()
}

/// All inputs, in the order of their first number.
fn inputs(dataset: &Dataset) -> Vec<Vec<f32>> {
    let parts = [&dataset.train, &dataset.test];
    let rows = parts
        .into_iter()
        .flat_map(|part| (0..part.len()).map(|i| part.input(i).to_vec()));
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by(|a, b| a[0].total_cmp(&b[0]));
    rows
}

#[test]
fn numbers_of_every_type_and_order_are_read() {
    macro_rules! bytes {
        ($type:ty, $to:ident) => {
            (0..8).flat_map(|i| (i as $type).$to()).collect::<Vec<u8>>()
        };
    }
    let place = Place::new();
    let expected: Vec<Vec<f32>> = (0..4)
        .map(|i| vec![2.0 * i as f32, 2.0 * i as f32 + 1.0])
        .collect();
    for (descr, bytes) in [
        ("|u1", bytes!(u8, to_le_bytes)),
        ("|i1", bytes!(i8, to_le_bytes)),
        ("<u2", bytes!(u16, to_le_bytes)),
        (">i2", bytes!(i16, to_be_bytes)),
        ("<i4", bytes!(i32, to_le_bytes)),
        (">u4", bytes!(u32, to_be_bytes)),
        ("<i8", bytes!(i64, to_le_bytes)),
        (">u8", bytes!(u64, to_be_bytes)),
        ("<f4", bytes!(f32, to_le_bytes)),
        (">f4", bytes!(f32, to_be_bytes)),
        ("<f8", bytes!(f64, to_le_bytes)),
        (">f8", bytes!(f64, to_be_bytes)),
    ] {
        let dataset = with_inputs(&place, npy(descr, &[4, 2], &bytes), 4);
        assert_eq!(inputs(&dataset), expected, "{descr}");
    }
    // The first axis running fastest.
    let columns: Vec<u8> = vec![0, 2, 4, 6, 1, 3, 5, 7];
    let dataset = with_inputs(&place, npy_in("|u1", &[4, 2], "True", &columns), 4);
    assert_eq!(inputs(&dataset), expected);
}

#[test]
fn few_channels_behind_the_pixels_are_brought_before_them() {
    let place = Place::new();
    // Four examples of 4×5 pixels in three channels: 100 times the channel and the pixel.
    let last = (0..4).flat_map(|i| (0..20).flat_map(move |p| (0..3).map(move |c| (i, p, c))));
    let bytes: Vec<u8> = last.map(|(i, p, c)| (i + 20 * c + p) as u8).collect();
    let dataset = with_inputs(&place, npy("|u1", &[4, 4, 5, 3], &bytes), 4);
    assert_eq!(dataset.train.shape, [3, 4, 5]);
    let first = &inputs(&dataset)[0];
    assert_eq!(first[..3], [0.0, 1.0, 2.0]);
    assert_eq!((first[20], first[40]), (20.0, 40.0));
    // Channels before the pixels stay.
    let bytes: Vec<u8> = (0..4 * 60).map(|i| i as u8).collect();
    let dataset = with_inputs(&place, npy("|u1", &[4, 3, 4, 5], &bytes), 4);
    assert_eq!(dataset.train.shape, [3, 4, 5]);
    assert_eq!(inputs(&dataset)[0][..3], [0.0, 1.0, 2.0]);
}

#[test]
fn labels_are_numbers_texts_or_rows_with_a_one() {
    let place = Place::new();
    let x = npy("|u1", &[4, 2, 2], &(0..16).collect::<Vec<u8>>());
    let wide: Vec<u8> = "noyesnoyes"
        .chars()
        .flat_map(|c| u32::from(c).to_le_bytes())
        .collect();
    let mut texts = Vec::new();
    for text in [&wide[..8], &wide[8..20], &wide[20..28], &wide[28..]] {
        texts.extend_from_slice(text);
        texts.resize(texts.len().next_multiple_of(12), 0);
    }
    for (y, expected) in [
        (npy("<f4", &[4], &floats(&[3.0, 5.0, 3.0, 5.0])), ["3", "5"]),
        (npy("|u1", &[4, 1], &[3, 5, 3, 5]), ["3", "5"]),
        (npy("|u1", &[4, 2], &[1, 0, 0, 1, 1, 0, 0, 1]), ["0", "1"]),
        (npy("|S3", &[4], b"no\0yesno\0yes"), ["no", "yes"]),
        (npy("<U3", &[4], &texts), ["no", "yes"]),
    ] {
        place.write("a.npz", npz(&[("x", x.clone()), ("y", y)], true));
        let dataset = place.files("a.npz").look().unwrap();
        assert_eq!(found(&dataset).classes, expected);
    }
}

#[test]
fn one_array_has_its_classes_in_a_column() {
    let place = Place::new();
    let rows = [1.0, 0.5, 0.0, 2.0, 1.5, 1.0, 1.0, 2.5, 0.0, 2.0, 3.5, 1.0];
    place.write("rows.npy", npy("<f4", &[4, 3], &floats(&rows)));
    let dataset = place.files("rows.npy").look().unwrap();
    assert_eq!(
        (dataset.train.shape, found(&dataset).classes.len()),
        ([1, 1, 2], 2)
    );
    let files = DataFiles {
        target: Some("1".into()),
        ..place.files("rows.npy")
    };
    assert_eq!(found(&files.look().unwrap()).classes, ["1", "2"]);
    let fractions = DataFiles {
        task: Some(Task::Classification),
        ..place.files("rows.npy").with_target("2")
    };
    let said = refused(&fractions);
    assert!(said.contains("label 0.5 at example 1"), "{said}");
}

impl DataFiles {
    fn with_target(self, target: &str) -> Self {
        Self {
            target: Some(target.into()),
            ..self
        }
    }
}

#[test]
fn a_file_of_images_is_read_with_those_that_belong_to_it() {
    let place = Place::new();
    let write = |split: &str, part: &str, n: u32, n_classes: u8| {
        let pixels: Vec<u8> = (0..n * 4).map(|i| (i * 7) as u8).collect();
        let name = format!("raw/emnist-{split}-{part}");
        place.write(
            &format!("{name}-images-idx3-ubyte"),
            idx(8, &[n, 2, 2], &pixels),
        );
        let labels: Vec<u8> = (0..n).map(|i| 1 + (i as u8) % n_classes).collect();
        place.write(&format!("{name}-labels-idx1-ubyte"), idx(8, &[n], &labels));
    };
    write("letters", "train", 60, 26);
    write("letters", "test", 30, 26);
    write("digits", "train", 40, 10);
    write("digits", "test", 10, 10);
    let dataset = place
        .files("raw/emnist-letters-train-images-idx3-ubyte")
        .look()
        .unwrap();
    assert_eq!((dataset.train.len(), dataset.test.len()), (60, 30));
    assert_eq!(dataset.train.n_classes, 26);
    assert_eq!(found(&dataset).classes[25], "26");
    let said = refused(&place.files("raw"));
    assert!(
        said.contains("several arrays") && said.contains("name one of the files"),
        "{said}"
    );
    assert!(refused(&place.files("")).contains("several arrays"));
}

#[test]
fn names_say_part_and_role() {
    use super::super::part::{Part, Role, key};
    for (name, part, role) in [
        ("x_train", Some(Part::Train), Some(Role::Inputs)),
        ("Xtest", Some(Part::Test), Some(Role::Inputs)),
        ("trainY", Some(Part::Train), Some(Role::Labels)),
        ("val_labels", Some(Part::Validation), Some(Role::Labels)),
        (
            "t10k-images-idx3-ubyte",
            Some(Part::Test),
            Some(Role::Inputs),
        ),
        ("arr_0", None, None),
        ("latest", None, None),
        ("contest-images", None, Some(Role::Inputs)),
    ] {
        assert_eq!((Part::of(name), Role::of(name)), (part, role), "{name}");
    }
    let letters = key("emnist-letters-train-images-idx3-ubyte");
    assert_eq!(letters, key("emnist-letters-test-labels-idx1-ubyte"));
    assert_ne!(letters, key("emnist-digits-test-labels-idx1-ubyte"));
}
