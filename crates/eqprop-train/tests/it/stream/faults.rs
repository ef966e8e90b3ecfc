//! Files that cannot be streamed, and files that change while they are read.

use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use eqprop_testing::explained;
use eqprop_train::data::{DataError, DataFiles, Dataset, DatasetKind};
use eqprop_train::error::TrainingError;
use flate2::Compression;
use flate2::write::GzEncoder;
use zip::CompressionMethod;

use super::training::{config, prepared};
use super::{Place, idx, npy, npz, write_idx, write_images};

fn refused(found: Result<Dataset, DataError>) -> String {
    explained(&found.expect_err("it cannot be streamed"))
}

#[test]
fn what_cannot_be_streamed_is_refused_with_a_way_to_make_it_so() {
    let place = Place::new();
    let labels: Vec<u8> = (0..20).map(|i| i % 2).collect();
    let numbers: Vec<u8> = (0..80).collect();
    let x = |is_fortran| npy("|u1", &[20, 4], is_fortran, &numbers);
    let y = npy("|u1", &[20], "False", &labels);

    let lines = (0..20).map(|i| format!("{i},{}\n", i % 2));
    place.write("table.csv", lines.collect::<String>());
    let packed = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    place.write(
        "packed/train-images.gz",
        packed(&idx(&[20, 2, 2], &numbers)),
    );
    place.write("packed/train-labels.gz", packed(&idx(&[20], &labels)));
    let arrays = |is_fortran| [("x", x(is_fortran)), ("y", y.clone())];
    place.write(
        "packed.npz",
        npz(&arrays("False"), CompressionMethod::Deflated),
    );
    place.write(
        "columns.npz",
        npz(&arrays("True"), CompressionMethod::Stored),
    );
    for (name, way_out) in [
        ("table.csv", "`numpy.save`"),
        ("packed", "`gunzip`"),
        ("packed.npz", "`numpy.savez`"),
        ("columns.npz", "numpy.ascontiguousarray"),
    ] {
        let files = place.files(name);
        files.look().expect("it can be read into memory");
        let error = refused(files.look_streaming());
        assert!(
            error.contains("cannot be streamed from disk") && error.contains(way_out),
            "{name}: {error}"
        );
    }
    let error = refused(Dataset::stream(DatasetKind::Digits, None));
    assert!(error.contains("part of the program"), "{error}");
}

#[test]
fn files_of_another_length_than_they_promise_are_refused() {
    let place = Place::new();
    write_idx(&place, 40);
    let images = place.path("idx/train-images-idx3-ubyte");
    let whole = fs::read(&images).unwrap();
    for (bytes, expected) in [
        (whole[..whole.len() - 1].to_vec(), "is cut short"),
        ([&whole[..], &[0]].concat(), "goes on after its last item"),
    ] {
        fs::write(&images, bytes).unwrap();
        let [streamed, in_memory] = [
            place.files("idx").look_streaming(),
            place.files("idx").look(),
        ];
        let error = refused(streamed);
        assert!(error.contains(expected), "{error}");
        assert_eq!(error, refused(in_memory));
    }
    // A number that is none, far into the file, is told as in memory.
    let mut numbers = vec![0.5f32; 4000];
    numbers[3001] = f32::NAN;
    numbers[0] = 0.0;
    let bytes: Vec<u8> = numbers.into_iter().flat_map(f32::to_le_bytes).collect();
    let labels: Vec<u8> = (0..2000).map(|i| (i % 2) as u8).collect();
    let x = npy("<f4", &[2000, 2], "False", &bytes);
    let y = npy("|u1", &[2000], "False", &labels);
    place.write(
        "nan.npz",
        npz(&[("x", x), ("y", y)], CompressionMethod::Stored),
    );
    let files = place.files("nan.npz");
    let error = refused(files.look_streaming());
    assert!(error.contains("1501"), "{error}");
    assert_eq!(error, refused(files.look()));
}

/// Trains until something is done to the files in the middle of the second epoch, and on until that is noticed.
fn spoiled(files: &DataFiles, spoil: &dyn Fn()) -> TrainingError {
    let dataset = files.look_streaming().unwrap();
    let mut training = prepared(&config(&dataset), &dataset);
    let go_on = |_| ControlFlow::Continue(());
    training.run_epoch(go_on).unwrap().unwrap();
    let before = training.learner().clone();
    let mut n_updates = 0;
    let outcome = training.run_epoch(|_| {
        n_updates += 1;
        if n_updates == 2 {
            spoil();
        }
        ControlFlow::Continue(())
    });
    // The run stands where it stood.
    assert_eq!(training.records().len(), 1);
    let [now, before] = [training.learner(), &before].map(eqprop_testing::named_parameters);
    assert_eq!(now, before);
    let checkpoint = training.checkpoint();
    assert_eq!(checkpoint.state.records.len(), 1);
    outcome.expect_err("the files are not what they were")
}

fn assert_changed(error: &TrainingError, path: &Path) {
    let is_it = matches!(
        error,
        TrainingError::Data(DataError::Changed { path: found }) if found == path
    );
    assert!(is_it, "{error:?}");
}

#[test]
fn a_file_that_changes_in_the_middle_of_an_epoch_ends_it_with_an_error() {
    let place = Place::new();
    write_idx(&place, 400);
    let files = place.files("idx");
    let images = place.path("idx/train-images-idx3-ubyte");
    let whole = fs::read(&images).unwrap();

    let error = spoiled(&files, &|| fs::remove_file(&images).unwrap());
    let text = explained(&error);
    assert!(text.contains("cannot read"), "{text}");
    assert!(text.contains(images.to_str().unwrap()), "{text}");

    fs::write(&images, &whole).unwrap();
    let error = spoiled(&files, &|| fs::write(&images, &whole[..1000]).unwrap());
    assert_changed(&error, &images);

    // Of the same length, but written later.
    fs::write(&images, &whole).unwrap();
    let error = spoiled(&files, &|| {
        let file = fs::File::options().write(true).open(&images).unwrap();
        let later =
            file.metadata().unwrap().modified().unwrap() + std::time::Duration::from_secs(1);
        file.set_modified(later).unwrap();
    });
    assert_changed(&error, &images);
}

#[test]
fn an_image_that_changes_in_the_middle_of_an_epoch_ends_it_with_an_error() {
    let place = Place::new();
    write_images(&place, "gray", 90, false);
    let files = DataFiles {
        image_size: Some([6, 6]),
        ..place.files("gray")
    };
    // Every image takes the place of another one.
    let swap = || {
        for folder in fs::read_dir(place.path("gray")).unwrap() {
            let images = fs::read_dir(folder.unwrap().path()).unwrap();
            let mut images: Vec<_> = images.map(|image| image.unwrap().path()).collect();
            images.sort();
            let first = fs::read(&images[0]).unwrap();
            let last = fs::read(images.last().unwrap()).unwrap();
            for image in &images {
                let is_first = fs::read(image).unwrap() == first;
                fs::write(image, if is_first { &last } else { &first }).unwrap();
            }
        }
    };
    let error = spoiled(&files, &swap);
    assert!(
        matches!(&error, TrainingError::Data(DataError::Changed { .. })),
        "{error:?}"
    );
    let text = explained(&error);
    assert!(text.contains("was changed since"), "{text}");
}
