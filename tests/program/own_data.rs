//! The user's own data: what one command can train on, and what is refused.

use std::fs;
use std::path::Path;

use eqprop_train::data::{Dataset, DatasetKind, Examples};
use image::{GrayImage, Rgb, RgbImage};
use serde_json::Value;

use crate::place::Place;
use crate::resume::parameters;

/// Keeps a training very short.
const SHORT: [&str; 5] = ["--epochs", "2", "--set", "hidden=[16]", "--run=run"];

fn write(place: &Place, name: &str, bytes: impl AsRef<[u8]>) {
    let path = place.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn save_gray(place: &Place, name: &str, [height, width]: [u32; 2], pixels: &[u8]) {
    let path = place.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let image = GrayImage::from_raw(width, height, pixels.to_vec()).unwrap();
    image.save(path).unwrap();
}

fn idx(kind: u8, axes: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, kind, axes.len() as u8];
    file.extend(axes.iter().flat_map(|axis| axis.to_be_bytes()));
    file.extend(bytes);
    file
}

fn npy(descr: &str, shape: &[usize], bytes: &[u8]) -> Vec<u8> {
    let axes: String = shape.iter().map(|axis| format!("{axis}, ")).collect();
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({axes}), }}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((text.len() as u16).to_le_bytes());
    file.extend(text.as_bytes());
    file.extend(bytes);
    file
}

fn npz(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    use std::io::{Cursor, Write};
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        let options = SimpleFileOptions::default();
        archive.start_file(format!("{name}.npy"), options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// The pixels of the digits as bytes, and their labels, for each split.
fn digits() -> [(Vec<Vec<u8>>, Vec<u8>); 2] {
    let digits = Dataset::load(DatasetKind::Digits, None).unwrap();
    let part = |examples: Examples, n: usize| {
        let byte = |&pixel: &f32| (255.0 * pixel).round() as u8;
        let image = |i| examples.input(i).iter().map(byte).collect();
        let images = (0..n).map(image).collect();
        (images, examples.labels[..n].to_vec())
    };
    [part(digits.train, 300), part(digits.test, 60)]
}

/// Writes the digits as a folder of images, an IDX folder, tables and a file of arrays, each with both
/// splits.
pub fn write_digits(place: &Place) -> [&'static str; 4] {
    let parts = digits();
    let mut arrays = Vec::new();
    for ((images, labels), part) in parts.iter().zip(["train", "test"]) {
        let n = labels.len();
        let mut table = String::from("label");
        (0..64).for_each(|pixel| table += &format!(",pixel{pixel}"));
        for (i, (image, label)) in images.iter().zip(labels).enumerate() {
            let name = format!("folder/{part}/{label}/{i:04}.png");
            save_gray(place, &name, [8, 8], image);
            table += &format!("\n{label}");
            image.iter().for_each(|pixel| table += &format!(",{pixel}"));
        }
        write(place, &format!("tables/{part}.csv"), table);
        let pixels = images.concat();
        let name = format!("idx/{part}-images.idx3-ubyte");
        write(place, &name, idx(8, &[n as u32, 8, 8], &pixels));
        let name = format!("idx/{part}-labels.idx1-ubyte");
        write(place, &name, idx(8, &[n as u32], labels));
        arrays.push((format!("x_{part}"), npy("|u1", &[n, 8, 8], &pixels)));
        arrays.push((format!("y_{part}"), npy("|u1", &[n], labels)));
    }
    let arrays = arrays
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.clone()));
    write(place, "digits.npz", npz(&arrays.collect::<Vec<_>>()));
    ["folder", "tables", "idx", "digits.npz"]
}

#[test]
fn the_same_images_in_every_format_make_the_same_network_to_the_last_bit() {
    let place = Place::new();
    let mut first: Option<(Vec<Vec<u32>>, Value)> = None;
    for name in write_digits(&place) {
        let arguments = ["train", "--dataset", name];
        let summary = place.json(&[&arguments[..], &SHORT].concat());
        let model = parameters(&place.path("run"));
        fs::remove_dir_all(place.path("run")).unwrap();
        let (first, error) = first.get_or_insert((model.clone(), summary["test_error"].clone()));
        assert_eq!(summary["test_error"], *error, "{name}");
        assert!(model == *first, "{name} makes another network");
    }
}

/// The mistakes that `evaluate` lists: number, file, class and class found.
fn mistakes(place: &Place) -> Vec<[String; 4]> {
    let arguments = ["evaluate", "run", "--mistakes=mistakes.csv"];
    let evaluation = place.json(&arguments);
    assert_eq!(evaluation["mistakes"], "mistakes.csv");
    let mut table = csv::Reader::from_path(place.path("mistakes.csv")).unwrap();
    assert_eq!(
        table.headers().unwrap(),
        vec!["example", "file", "class", "found"]
    );
    let lines: Vec<[String; 4]> = table.deserialize().map(Result::unwrap).collect();
    let n_examples = evaluation["n_examples"].as_f64().unwrap();
    let n_wrong = evaluation["test_error"].as_f64().unwrap() * n_examples;
    assert!(!lines.is_empty() && (lines.len() as f64 - n_wrong).abs() < 1e-6);
    assert!(lines.iter().all(|[.., class, found]| class != found));
    lines
}

#[test]
fn mistakes_are_listed_by_their_files_and_numbers() {
    let place = Place::new();
    write_digits(&place);
    // With a test part, and with test examples that are drawn.
    for name in ["folder", "folder/train"] {
        place.succeed(&[&["train", "--dataset", name][..], &SHORT].concat());
        let mistakes = mistakes(&place);
        for [_, file, class, _] in &mistakes {
            let folder = Path::new(file).parent().and_then(Path::file_name);
            assert_eq!(folder.unwrap(), class.as_str());
        }
        let files = mistakes.iter().map(|[_, file, ..]| file.as_str());
        let predict = ["predict", "run"].into_iter().chain(files);
        let predictions = place.json(&predict.collect::<Vec<_>>());
        let predictions = predictions["predictions"].as_array().unwrap();
        assert_eq!(predictions.len(), mistakes.len());
        for (found, [.., wrong]) in predictions.iter().zip(&mistakes) {
            assert_eq!(found["name"], wrong.as_str());
        }
        fs::remove_dir_all(place.path("run")).unwrap();
    }
    for (name, tested) in [
        ("tables", "tables/test.csv"),
        ("tables/train.csv", "tables/train.csv"),
    ] {
        place.succeed(&[&["train", "--dataset", name][..], &SHORT].concat());
        let table = fs::read_to_string(place.path(tested)).unwrap();
        let rows: Vec<&str> = table.lines().skip(1).collect();
        for [number, file, class, _] in mistakes(&place) {
            let row = rows[number.parse::<usize>().unwrap() - 1];
            assert_eq!((row.split(',').next(), &file[..]), (Some(&class[..]), ""));
        }
        fs::remove_dir_all(place.path("run")).unwrap();
    }
}

/// Dark bars on white, upright and level.
fn write_bars(place: &Place, folder: &str) {
    for class in ["upright", "level"] {
        for i in 0..20 {
            let is_dark = |pixel: usize| {
                let place = if class == "upright" {
                    pixel % 8
                } else {
                    pixel / 8
                };
                place == 1 + i % 6
            };
            let byte = |pixel| if is_dark(pixel) { 10 * (i as u8) } else { 255 };
            let pixels: Vec<u8> = (0..64).map(byte).collect();
            save_gray(place, &format!("{folder}/{class}/{i}.png"), [8, 8], &pixels);
        }
    }
}

#[test]
fn bright_images_are_normalized_and_are_no_surprise_later() {
    let place = Place::new();
    write_bars(&place, "bars");
    let train = [&["train", "--dataset", "bars"][..], &SHORT].concat();
    let is_normalized = || {
        let config = fs::read_to_string(place.path("run/config.json")).unwrap();
        let config: Value = serde_json::from_str(&config).unwrap();
        config["training"]["data"]["normalize"].clone()
    };
    let said = place.run(&train).succeeded().stderr;
    assert!(said.contains("the images are bright (mean 0."), "{said}");
    assert_eq!(is_normalized(), true);
    let predicted = place.json(&["predict", "run", "bars/level/3.png"]);
    assert_eq!(predicted["predictions"][0]["warning"], Value::Null);

    fs::remove_dir_all(place.path("run")).unwrap();
    let plain = [&train[..], &["--set", "normalize=false"]].concat();
    let said = place.run(&plain).succeeded().stderr;
    assert!(!said.contains("bright"), "{said}");
    assert_eq!(is_normalized(), false);

    // Named in another way, and bright on dark.
    write_digits(&place);
    for (name, expected) in [("bars", true), ("folder", false)] {
        fs::remove_dir_all(place.path("run")).unwrap();
        let dataset = format!("dataset={}", place.path(name).display());
        place.succeed(&[&["train", "--set", &dataset][..], &SHORT].concat());
        assert_eq!(is_normalized(), expected, "{name}");
    }
}

/// Both images in both classes.
#[test]
fn it_is_told_that_nothing_is_learned() {
    let place = Place::new();
    for part in ["train", "test"] {
        for (class, image) in [("a", 0), ("a", 1), ("b", 0), ("b", 1)] {
            for i in 0..10 {
                let name = format!("same/{part}/{class}/{image}-{i}.png");
                save_gray(&place, &name, [2, 2], &[0, 90 * image, 40, 0]);
            }
        }
    }
    let few = ["--set", "hidden=[4]", "--run=run"];
    for (epochs, n_notes) in [("2", 1), ("5", 2)] {
        let train = ["train", "--dataset", "same", "--epochs", epochs];
        let outcome = place.run(&[&train[..], &few].concat()).succeeded();
        let said = outcome.stderr + &outcome.stdout;
        assert_eq!(
            said.matches("nothing is learned").count(),
            n_notes,
            "{said}"
        );
        assert!(said.contains("naming one class each time"), "{said}");
        fs::remove_dir_all(place.path("run")).unwrap();
    }
    let compare = [
        "compare",
        "--dataset=same",
        "--methods=eqprop,backprop",
        "--seeds=1",
        "--epochs=1",
    ];
    let said = place.succeed(&compare);
    assert!(
        said.contains("nothing is learned by eqprop and backprop"),
        "{said}"
    );
    // Digits are learned.
    let said = place.succeed(&["train", "--epochs=1", "--run=digits"]);
    assert!(!said.contains("nothing is learned"), "{said}");
}

#[test]
fn what_is_left_out_of_a_folder_is_told_and_no_sheet_is_lost() {
    let place = Place::new();
    write_bars(&place, "bars");
    write_bars(&place, "bars/level");
    let told = place.json(&["data", "bars"]);
    let notes = told["notes"].as_array().unwrap();
    let is_told = |note: &Value| {
        note.as_str()
            .unwrap()
            .contains("left out with all that is in them")
    };
    assert!(notes.iter().any(is_told), "{told}");
    let first = fs::read(place.path("data-bars.png")).unwrap();
    place.succeed(&["data", "bars", "--image-size=12x12"]);
    assert_eq!(fs::read(place.path("data-bars.png")).unwrap(), first);
    assert_ne!(fs::read(place.path("data-bars-2.png")).unwrap(), first);
}

#[test]
fn examples_that_lie_class_by_class_are_drawn_in_turn() {
    let place = Place::new();
    for (class, level) in [("cats", 200), ("dogs", 10)] {
        for i in 0..20 {
            let name = format!("pets/{class}/{class}{i}.png");
            save_gray(&place, &name, [2, 2], &[i, 200 - i, 3 * i, level]);
        }
    }
    place.succeed(&[&["train", "--dataset", "pets"][..], &SHORT].concat());
    let relaxed = place.json(&["relax", "run", "--examples=6"]);
    assert_eq!(relaxed["labels"], serde_json::json!([0, 1, 0, 1, 0, 1]));
}

/// Checks that what an evaluation tells of the classes adds up to the error.
fn check_classes(evaluation: &Value) {
    let number = |value: &Value| value.as_f64().unwrap();
    let entries = |list: &str| evaluation[list].as_array().unwrap().clone();
    let classes = entries("classes");
    let n_examples: f64 = classes.iter().map(|found| number(&found["examples"])).sum();
    assert_eq!(n_examples, number(&evaluation["n_examples"]));
    let right = classes.iter().map(|found| {
        let recall = found["recall"].as_f64().unwrap_or_default();
        recall * number(&found["examples"])
    });
    let n_wrong = n_examples - right.sum::<f64>();
    let error = number(&evaluation["test_error"]);
    assert!((n_wrong - error * n_examples).abs() < 1e-6, "{evaluation}");
    let confusions = entries("confusions");
    for found in &confusions {
        assert_ne!(found["class"], found["found"]);
    }
    let confused: f64 = confusions
        .iter()
        .map(|found| number(&found["examples"]))
        .sum();
    assert!((n_wrong - confused).abs() < 1e-6, "{evaluation}");
}

/// Trains on `data` with one command, and uses the run in all commands that take runs.
fn train_and_look(place: &Place, data: &[&str], to_predict: &str, n_predicted: usize) -> Value {
    let train = [&["train", "--dataset"], data, &SHORT].concat();
    let summary = place.json(&train);
    assert!(summary["test_error"].as_f64().is_some(), "{summary}");
    let evaluation = place.json(&["evaluate", "run"]);
    assert_eq!(evaluation["test_error"], summary["test_error"]);
    check_classes(&evaluation);
    let predictions = place.json(&["predict", "run", to_predict]);
    let predictions = predictions["predictions"].as_array().unwrap();
    assert_eq!(predictions.len(), n_predicted);
    assert!(predictions.iter().all(|found| found["name"].is_string()));
    let fidelity = ["fidelity", "--run", "run", "--batches=1", "--batch=8"];
    place.succeed(&fidelity);
    let methods = [
        "--methods=eqprop,backprop",
        "--seeds=1",
        "--epochs=1",
        "--set=hidden=[8]",
    ];
    let compare = [&["compare", "--report=report", "--dataset"], data, &methods].concat();
    place.succeed(&compare);
    place.succeed(&["relax", "run", "--examples=2"]);
    // It goes on with the data that it began with, from any folder.
    let resumed = place.json(&["train", "--resume", "--run=run", "--epochs=3"]);
    assert_eq!(resumed["epochs"], 3);
    evaluation
}

#[test]
fn a_folder_of_images_trains_by_one_command() {
    let place = Place::new();
    write_digits(&place);
    let predicted = "folder/test/0/0000.png";
    let predicted = match place.path(predicted).is_file() {
        true => predicted.to_string(),
        false => {
            let label = digits()[1].1[0];
            format!("folder/test/{label}/0000.png")
        }
    };
    let evaluation = train_and_look(&place, &["folder"], &predicted, 1);
    assert_eq!(evaluation["n_examples"], 60);
}

#[test]
fn a_table_trains_by_one_command() {
    let place = Place::new();
    // Three classes around three centers, by a fixed sequence.
    let mut text = String::from("length,width,age,species\n");
    let mut state = 1u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1u32 << 24) - 0.5
    };
    for i in 0..300 {
        let class = i * 3 / 300;
        let center = [[5.0, 1.0], [6.0, 3.0], [8.0, 2.0]][class];
        let [length, width] = center.map(|center| center + noise());
        let name = ["setosa", "versicolor", "virginica"][class];
        text += &format!(
            "{length:.3},{width:.3},{:.1},{name}\n",
            50.0 + 9.0 * noise()
        );
    }
    write(&place, "flowers.csv", text);
    write(
        &place,
        "new.csv",
        "width,age,length\n1,50,5\n3,50,6\n2,50,8\n",
    );
    let data = ["flowers.csv", "--target", "species"];
    let evaluation = train_and_look(&place, &data, "new.csv", 3);
    assert_eq!(evaluation["n_examples"], 60);
    assert!(
        evaluation["test_error"].as_f64().unwrap() < 0.05,
        "{evaluation}"
    );
    let text = place.succeed(&["evaluate", "run"]);
    for part in [
        "class",
        "examples",
        "recall",
        "setosa",
        "versicolor",
        "virginica",
    ] {
        assert!(text.contains(part), "{part:?} is missing: {text}");
    }
    let text = place.succeed(&["predict", "run", "new.csv"]);
    for part in [
        "example 1: class 0 (setosa)",
        "example 2: class 1",
        "example 3: class 2",
    ] {
        assert!(text.contains(part), "{part:?} is missing: {text}");
    }
}

#[test]
fn a_file_of_arrays_trains_by_one_command() {
    let place = Place::new();
    write_digits(&place);
    let evaluation = train_and_look(&place, &["digits.npz"], "digits.npz", 60);
    assert_eq!(evaluation["n_examples"], 60);
}

#[test]
fn files_as_those_of_emnist_train_by_one_command() {
    let place = Place::new();
    let write_part = |part: &str, n: u32| {
        let label = |i: u32| 1 + (i % 26) as u8;
        let pixels = (0..n).flat_map(|i| {
            (0..784u32).map(move |p| {
                if p % 26 == i % 26 {
                    200 + (i % 50) as u8
                } else {
                    0
                }
            })
        });
        let name = format!("letters/emnist-letters-{part}-images-idx3-ubyte");
        let pixels: Vec<u8> = pixels.collect();
        write(&place, &name, idx(8, &[n, 28, 28], &pixels));
        let name = format!("letters/emnist-letters-{part}-labels-idx1-ubyte");
        let labels: Vec<u8> = (0..n).map(label).collect();
        write(&place, &name, idx(8, &[n], &labels));
    };
    write_part("train", 260);
    write_part("test", 52);
    let images = "letters/emnist-letters-test-images-idx3-ubyte";
    let evaluation = train_and_look(&place, &["letters"], images, 52);
    assert_eq!(evaluation["n_examples"], 52);
    let text = place.succeed(&["evaluate", "run"]);
    let part = "the 20 classes of 26 with the lowest recall";
    assert!(text.contains(part), "{text}");
    let config: Value =
        serde_json::from_slice(&fs::read(place.path("run/config.json")).unwrap()).unwrap();
    let found = &config["training"]["data"]["dataset"]["found"];
    assert_eq!(found["classes"].as_array().unwrap().len(), 26);
    // The same by its name, upright and with labels from 0.
    let named = [
        "train",
        "--dataset",
        "emnist-letters",
        "--data-dir",
        "letters",
    ];
    let options = ["--epochs=1", "--set=hidden=[8]", "--run=named"];
    let summary = place.json(&[&named[..], &options].concat());
    assert_eq!(summary["dataset"], "emnist-letters");
}

/// Writes a folder of color images of 48×40 pixels.
fn write_color(place: &Place) {
    for i in 0..60u8 {
        let class = ["cat", "dog", "fish"][usize::from(i % 3)];
        let path = place.path(&format!("photos/{class}/{i:02}.png"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let color = |x: u32, y: u32| {
            let mut color = [20 + (x as u8 ^ i) % 20, 20 + (y as u8) % 20, 30];
            color[usize::from(i % 3)] += 150;
            Rgb(color)
        };
        RgbImage::from_fn(40, 48, color).save(path).unwrap();
    }
}

#[test]
fn a_folder_of_color_images_trains_by_one_command() {
    let place = Place::new();
    write_color(&place);
    let evaluation = train_and_look(&place, &["photos"], "photos/cat/00.png", 1);
    assert_eq!(evaluation["n_examples"], 12);
    let report = place.json(&["data", "photos"]);
    assert_eq!(report["shape"], serde_json::json!([3, 48, 40]));
    // A convolutional preset says why it does not fit, and fits images of another size.
    place.refuse(
        &["train", "--dataset", "photos", "--preset", "dchn"],
        &["hidden layer 4", "images of 48x40"],
    );
    let fitting = [
        "train",
        "--dataset",
        "photos",
        "--preset",
        "conv-mnist",
        "--image-size=28x28",
    ];
    let options = [
        "--epochs=1",
        "--run=conv",
        "--set=hidden=[{\"channels\": 4, \"kernel\": 5}]",
    ];
    let rates = ["--set=learning_rates=[0.1,0.1]"];
    place.succeed(&[&fitting[..], &options, &rates].concat());
}

#[test]
fn data_shows_what_is_understood_and_draws_examples() {
    let place = Place::new();
    write_digits(&place);
    let report = place.json(&["data", "folder", "--sheet", "sheet.png"]);
    assert_eq!(report["format"], "images");
    assert_eq!(report["shape"], serde_json::json!([1, 8, 8]));
    assert_eq!(
        (&report["n_train"], &report["n_test"]),
        (&300.into(), &60.into())
    );
    let counts = report["classes"].as_array().unwrap().iter();
    let n: u64 = counts.map(|class| class["train"].as_u64().unwrap()).sum();
    assert_eq!(n, 300);
    let sheet = image::open(place.path("sheet.png")).unwrap().into_luma8();
    // Twelve columns and ten rows of eight pixels, six times as large, with gaps of 4.
    assert_eq!(sheet.dimensions(), (12 * 52 + 4, 10 * 52 + 4));
    let [(images, labels), _] = digits();
    for class in 0..10u8 {
        let first = labels.iter().position(|&label| label == class).unwrap();
        let pixel = sheet.get_pixel(4 + 6 * 3 + 2, 4 + 52 * u32::from(class) + 6 * 4 + 2);
        assert_eq!(pixel.0[0], images[first][4 * 8 + 3], "class {class}");
    }
    let text = place.succeed(&["data", "digits"]);
    for part in [
        "digits: built in",
        "8x8 pixels in gray",
        "1437 training examples",
        "data-digits.png",
    ] {
        assert!(text.contains(part), "{part:?} is missing: {text}");
    }
    let bench = [
        "bench",
        "--dataset",
        "digits.npz",
        "--preset=digits",
        "--methods=eqprop",
        "--rounds=1",
    ];
    let text = place.succeed(&bench);
    assert!(text.contains("digits.npz"), "{text}");
}

/// Invalid data: a name, a function that writes them, the arguments, and what the message must contain.
type Bad = (
    &'static str,
    fn(&Place),
    &'static [&'static str],
    &'static [&'static str],
);

fn table(place: &Place, text: &str) {
    write(place, "bad.csv", text);
}

fn arrays(place: &Place, arrays: &[(&str, Vec<u8>)]) {
    write(place, "bad.npz", npz(arrays));
}

fn images_of(place: &Place, sizes: [[u32; 2]; 2]) {
    for (i, size) in sizes.into_iter().enumerate() {
        let n = (size[0] * size[1]) as usize;
        for j in 0..3 {
            let pixels: Vec<u8> = (0..n).map(|p| (p * 17 + j * 29) as u8).collect();
            save_gray(place, &format!("bad/{i}/{j}.png"), size, &pixels);
        }
    }
}

fn x(n: usize) -> Vec<u8> {
    let bytes: Vec<u8> = (0..4 * n).map(|i| (i * 13) as u8).collect();
    npy("|u1", &[n, 2, 2], &bytes)
}

fn y(n: usize) -> Vec<u8> {
    npy(
        "|u1",
        &[n],
        &(0..n).map(|i| (i % 2) as u8).collect::<Vec<_>>(),
    )
}

const BAD: [Bad; 44] = [
    (
        "nothing there",
        |_| (),
        &["./bad"],
        &["no file or folder `./bad`"],
    ),
    (
        "a name misspelled",
        |_| (),
        &["mnits"],
        &["unknown data set `mnits`; did you mean `mnist`?"],
    ),
    (
        "an empty folder",
        |place| fs::create_dir(place.path("bad")).unwrap(),
        &["bad"],
        &["is empty", "no data are recognized"],
    ),
    (
        "a folder of notes",
        |place| write(place, "bad/notes.txt", "hello"),
        &["bad"],
        &["holds notes.txt", "no data are recognized"],
    ),
    (
        "images in no folder of a class",
        |place| save_gray(place, "bad/a.png", [2, 2], &[1, 2, 3, 4]),
        &["bad"],
        &["holds images, but no folder of images for each class"],
    ),
    (
        "tables and arrays",
        |place| {
            write(place, "bad/a.csv", "1,2\n");
            write(place, "bad/b.npz", "");
        },
        &["bad"],
        &["several formats: csv, npz"],
    ),
    (
        "a text",
        |place| write(place, "bad.txt", "hello world"),
        &["bad.txt"],
        &["`", "bad.txt` is not recognized"],
    ),
    (
        "one image",
        |place| save_gray(place, "bad.png", [2, 2], &[1, 2, 3, 4]),
        &["bad.png"],
        &["is one image: name the folder"],
    ),
    (
        "an unknown format",
        |place| table(place, "1,2\n"),
        &["bad.csv", "--format", "cvs"],
        &["unknown format `cvs`; did you mean `csv`?"],
    ),
    (
        "an unknown scaling",
        |place| table(place, "1,2\n"),
        &["bad.csv", "--scaling", "bites"],
        &["unknown scaling `bites`; did you mean `bytes`?"],
    ),
    (
        "a file as a folder of images",
        |place| table(place, "1,2\n"),
        &["bad.csv", "--format", "images"],
        &["is a file: a folder is needed"],
    ),
    (
        "one class of images",
        |place| {
            images_of(place, [[2, 2], [2, 2]]);
            fs::remove_dir_all(place.path("bad/1")).unwrap();
        },
        &["bad"],
        &["all examples of", "class `0`: at least two"],
    ),
    (
        "a class without images",
        |place| {
            images_of(place, [[2, 2], [2, 2]]);
            fs::create_dir(place.path("bad/2")).unwrap();
        },
        &["bad"],
        &["bad/2` of a class holds no PNG or JPEG"],
    ),
    (
        "a damaged image",
        |place| {
            images_of(place, [[2, 2], [2, 2]]);
            write(place, "bad/1/2.png", b"\x89PNG\r\n\x1a\nand so on");
        },
        &["bad"],
        &[
            "bad/1/2.png` cannot be used",
            "not an image that can be read",
        ],
    ),
    (
        "no image under its name",
        |place| {
            images_of(place, [[2, 2], [2, 2]]);
            write(place, "bad/1/2.png", "GIF89a");
        },
        &["bad"],
        &["bad/1/2.png` cannot be used", "not a PNG image"],
    ),
    (
        "a photograph cut short",
        |place| {
            images_of(place, [[16, 16], [16, 16]]);
            let pixels: Vec<u8> = (0..256).map(|p| (p * 7) as u8).collect();
            save_gray(place, "bad/1/3.jpg", [16, 16], &pixels);
            let whole = fs::read(place.path("bad/1/3.jpg")).unwrap();
            write(place, "bad/1/3.jpg", &whole[..whole.len() / 2]);
        },
        &["bad"],
        &["bad/1/3.jpg` cannot be used", "cut short"],
    ),
    (
        "images of several sizes",
        |place| images_of(place, [[2, 2], [2, 3]]),
        &["bad"],
        &["bad/0/0.png` has 2x2", "has 2x3", "`--image-size 32x32`"],
    ),
    (
        "a size of nothing",
        |place| images_of(place, [[2, 2], [2, 2]]),
        &["bad", "--image-size", "0x4"],
        &["image_size must be 1 to"],
    ),
    (
        "two channels",
        |place| images_of(place, [[2, 2], [2, 2]]),
        &["bad", "--channels", "2"],
        &["channels must be 1 or 3, but is 2"],
    ),
    (
        "a class that only the test has",
        |place| {
            for (name, class) in [("train/0/a", 0), ("train/1/b", 1), ("test/2/c", 2)] {
                save_gray(place, &format!("bad/{name}.png"), [2, 2], &[class, 2, 3, 4]);
            }
        },
        &["bad"],
        &["no training example", "is of the class `2`"],
    ),
    (
        "an empty table",
        |place| table(place, ""),
        &["bad.csv"],
        &["bad.csv` is empty"],
    ),
    (
        "names of columns only",
        |place| table(place, "a,b,label\n"),
        &["bad.csv"],
        &["holds no example"],
    ),
    (
        "lines of several lengths",
        |place| table(place, "1,2,0\n3,4,1\n5,6\n"),
        &["bad.csv"],
        &["line 3 has 2 cells, expected 3"],
    ),
    (
        "text among numbers",
        |place| table(place, "a,b,y\n1,2,0\n3,red,1\n"),
        &["bad.csv"],
        &["`red` in line 3, column b"],
    ),
    (
        "missing values",
        |place| table(place, "a,b,y\n1,2,0\n3,,1\nNA,4,0\n"),
        &["bad.csv"],
        &["lacks 2 values", "line 3, column b"],
    ),
    (
        "an infinite number",
        |place| table(place, "a,b,y\n1,2,0\n3,inf,1\n"),
        &["bad.csv"],
        &["`inf` in line 3"],
    ),
    (
        "no such column",
        |place| table(place, "a,b,y\n1,2,0\n3,4,1\n"),
        &["bad.csv", "--target", "z"],
        &["no column `z`", "a, b, y"],
    ),
    (
        "one class",
        |place| table(place, "1,2,0\n3,4,0\n5,6,0\n"),
        &["bad.csv"],
        &["all examples", "class `0`"],
    ),
    (
        "one column",
        |place| table(place, "0\n1\n0\n"),
        &["bad.csv"],
        &["no column beside that of the class"],
    ),
    (
        "quantities as classes",
        |place| {
            let rows = (0..400).map(|i| format!("{i},{}.5\n", i * i));
            table(place, &rows.collect::<String>());
        },
        &["bad.csv", "--task=classification"],
        &["more than 256 classes", "Quantities"],
    ),
    (
        "inputs that are all the same",
        |place| table(place, "a,b,y\n1,2,0\n1,2,1\n1,2,0\n1,2,1\n"),
        &["bad.csv"],
        &["the same inputs"],
    ),
    (
        "one example of each class",
        |place| table(place, "a,y\n1,0\n2,1\n"),
        &["bad.csv"],
        &["holds 2 examples", "test"],
    ),
    (
        "other columns in the test",
        |place| {
            write(place, "bad/train.csv", "a,y\n1,0\n2,1\n");
            write(place, "bad/test.csv", "b,y\n1,0\n2,1\n");
        },
        &["bad"],
        &["test.csv", "its columns are not those"],
    ),
    (
        "a test of everything",
        |place| table(place, "a,y\n1,0\n2,1\n"),
        &["bad.csv", "--test-share", "1"],
        &["test_share must be greater than 0 and less than 1"],
    ),
    (
        "no archive",
        |place| write(place, "bad.npz", "PK no"),
        &["bad.npz"],
        &["cannot be read as NPZ"],
    ),
    (
        "inputs without labels",
        |place| arrays(place, &[("x", x(4)), ("z", x(4))]),
        &["bad.npz"],
        &["no array of labels", "x"],
    ),
    (
        "unequal numbers",
        |place| arrays(place, &[("x", x(4)), ("y", y(5))]),
        &["bad.npz"],
        &["`x` has 4 examples, but `y` has 5 labels"],
    ),
    (
        "several inputs",
        |place| {
            arrays(
                place,
                &[("a_images", x(4)), ("b_images", x(4)), ("y", y(4))],
            )
        },
        &["bad.npz"],
        &["several arrays", "a_images, b_images"],
    ),
    (
        "Python objects",
        |place| arrays(place, &[("x", npy("|O", &[4], &[0; 32])), ("y", y(4))]),
        &["bad.npz"],
        &["Python objects"],
    ),
    (
        "an array cut short",
        |place| {
            arrays(
                place,
                &[("x", npy("|u1", &[4, 2, 2], &[0; 9])), ("y", y(4))],
            )
        },
        &["bad.npz"],
        &["expected 16 bytes, found 9"],
    ),
    (
        "no number",
        |place| {
            arrays(
                place,
                &[
                    (
                        "x",
                        npy(
                            "<f4",
                            &[2, 1],
                            &[f32::NAN, 1.0].map(f32::to_le_bytes).concat(),
                        ),
                    ),
                    ("y", y(2)),
                ],
            )
        },
        &["bad.npz"],
        &["NaN in example 1"],
    ),
    (
        "a folder of damaged IDX",
        |place| {
            write(place, "bad/a-images", idx(8, &[4, 2, 2], &[7; 12]));
            write(place, "bad/a-labels", idx(8, &[4], &[0, 1, 0, 1]));
        },
        &["bad"],
        &["a-images` is cut short"],
    ),
    (
        "IDX images without labels",
        |place| write(place, "bad/a-images", idx(8, &[4, 2, 2, 1], &[7; 16])),
        &["bad"],
        &["no array of labels"],
    ),
    (
        "safetensors that are none",
        |place| write(place, "bad.safetensors", [255; 40]),
        &["bad.safetensors"],
        &["safetensors", "promises"],
    ),
];

#[test]
fn bad_data_are_refused_with_one_clear_message() {
    for (name, make, arguments, expected) in BAD {
        let place = Place::new();
        make(&place);
        eprintln!("{name}");
        place.refuse(&[&["data"], arguments].concat(), expected);
        place.refuse(&[&["train", "--dataset"], arguments].concat(), expected);
    }
}

#[test]
fn a_run_says_when_its_data_are_others() {
    let place = Place::new();
    let rows = |classes: &[&str]| -> String {
        let row = |i: usize| format!("{i}.5,{}\n", classes[i % classes.len()]);
        (0..20).map(row).collect()
    };
    write(&place, "a.csv", rows(&["u", "v"]));
    place.succeed(&[&["train", "--dataset", "a.csv"][..], &SHORT].concat());
    // A class that the network does not know.
    write(&place, "b.csv", rows(&["u", "v", "w"]));
    place.refuse(
        &["evaluate", "run", "--data-dir", "b.csv"],
        &["class `w`", "none of the 2 classes"],
    );
    // Others of the same kind are judged, but not trained on.
    write(&place, "c.csv", rows(&["v", "u"]));
    let outcome = place
        .run(&["evaluate", "run", "--data-dir", "c.csv"])
        .succeeded();
    assert!(
        outcome
            .stderr
            .contains("not the data that the network was trained on")
    );
    let outcome = place
        .run(&[
            "fidelity",
            "--run=run",
            "--data-dir=c.csv",
            "--batches=1",
            "--batch=8",
        ])
        .succeeded();
    let note = "not the data that the network was trained on";
    assert!(outcome.stderr.contains(note), "{}", outcome.stderr);
    let resume = ["train", "--resume", "--run=run", "--epochs=3"];
    let moved = [&resume[..], &["--data-dir", "c.csv"]].concat();
    place.refuse(&moved, &["not the data that the run began with"]);
    // The same data in another place are the same data.
    fs::rename(place.path("a.csv"), place.path("d.csv")).unwrap();
    place.refuse(&resume, &["no file or folder", "by --data-dir"]);
    let moved = [&resume[..], &["--data-dir", "d.csv"]].concat();
    place.succeed(&moved);
    place.refuse(
        &["train", "--dataset=d.csv", "--data-dir=."],
        &["--data-dir is for data sets with a name"],
    );
    place.refuse(
        &["train", "--target=x"],
        &["--target says how to read files"],
    );
}

#[test]
fn rare_classes_can_count_as_much_as_others() {
    let place = Place::new();
    let row = |i: usize| {
        format!(
            "{}.5,{},{}\n",
            i % 10,
            i % 7,
            if i % 10 == 3 { "rare" } else { "often" }
        )
    };
    write(&place, "rare.csv", (0..100).map(row).collect::<String>());
    let train = [
        &[
            "train",
            "--dataset",
            "rare.csv",
            "--set=class_weights=balanced",
        ],
        &SHORT[..],
    ];
    place.succeed(&train.concat());
    let config = fs::read(place.path("run/config.json")).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    // 72 and 8 of 80, in the order of their names.
    let weights = &config["training"]["data"]["class_weights"];
    assert_eq!(*weights, serde_json::json!([8.0 / 72.0, 1.0]));
    // The run goes on with them, and all that looks at it has the same costs.
    let resumed = place.json(&["train", "--resume", "--run=run", "--epochs=3"]);
    assert_eq!(resumed["epochs"], 3);
    let evaluation = place.json(&["evaluate", "run"]);
    let metrics = fs::read_to_string(place.path("run/metrics.csv")).unwrap();
    let cost = evaluation["test_cost"].as_f64().unwrap();
    assert!(
        metrics
            .lines()
            .last()
            .unwrap()
            .contains(&format!(",{cost},")),
        "{cost}: {metrics}"
    );
    let compare = [
        "compare",
        "--dataset=rare.csv",
        "--methods=eqprop,backprop",
        "--seeds=1",
    ];
    let varied = [
        "--epochs=1",
        "--vary=class_weights=balanced,null",
        "--set=hidden=[4]",
    ];
    place.succeed(&[&compare[..], &varied].concat());
    place.refuse(
        &["train", "--set=class_weights=[1,2]"],
        &["class_weights must be 10 numbers"],
    );
}
