//! `eqprop predict --clamp`: images of classes, and completed images.

use std::fs;

use serde_json::Value;

use crate::place::{Place, QUICK};

/// A training long enough that the classes look different.
const TRAINED: [&str; 7] = [
    "train",
    "--set",
    "n_train=400",
    "--epochs",
    "8",
    "--run",
    "run",
];

/// Returns a numeric field of each class in the report.
fn field(report: &Value, name: &str) -> Vec<f64> {
    let classes = report["classes"].as_array().unwrap();
    classes.iter().map(|c| c[name].as_f64().unwrap()).collect()
}

#[test]
fn the_output_is_clamped_at_classes_and_the_input_relaxes() {
    let place = Place::new();
    place.succeed(&TRAINED);
    let all = place.json(&["predict", "run", "--clamp", "all"]);
    assert_eq!(
        field(&all, "class"),
        (0..10).map(f64::from).collect::<Vec<_>>()
    );
    assert!(field(&all, "residual").iter().all(|r| *r <= 1e-4), "{all}");
    // One in ten would be chance.
    let right = field(&all, "classified_as").into_iter().zip(0..10);
    let n_right = right.filter(|(found, class)| *found == f64::from(*class));
    assert!(n_right.count() >= 5, "{all}");
    let picture = image::open(place.path("run/classes.png"))
        .unwrap()
        .into_rgb8();
    // Ten images of 8×8 pixels of 10×10, and 4 around each.
    assert_eq!(picture.dimensions(), (4 + 10 * 84, 4 + 84));
    let tile = |index: u32| {
        let pixels = (0..64).map(|i| (4 + 84 * index + i % 8 * 10 + 5, 4 + i / 8 * 10 + 5));
        let gray = pixels.map(|(x, y)| picture.get_pixel(x, y)[0]);
        gray.collect::<Vec<_>>()
    };
    let black = (0..10).map(|i| tile(i).iter().filter(|gray| **gray < 10).count());
    let black: Vec<_> = black.collect();
    assert!(black.iter().all(|n| (10..60).contains(n)), "{black:?}");
    assert_ne!(tile(0), tile(1));

    let two = place.json(&["predict", "run", "--clamp", "7,3"]);
    assert_eq!(field(&two, "class"), [7.0, 3.0]);
    let (of_all, of_two) = (field(&all, "energy"), field(&two, "energy"));
    for (class, energy) in [7, 3].into_iter().zip(&of_two) {
        assert!((of_all[class] - energy).abs() < 1e-2, "{all} {two}");
    }
    let said = place.succeed(&["predict", "run", "--clamp", "7"]);
    assert!(
        said.contains("class 7: energy") && said.contains("classes.png"),
        "{said}"
    );
}

/// Counts the images that are classified as the class for which they were made.
fn n_right(report: &Value) -> usize {
    let pairs = field(report, "classified_as")
        .into_iter()
        .zip(field(report, "class"));
    pairs.filter(|(found, class)| found == class).count()
}

#[test]
fn a_class_that_is_clamped_more_strongly_pulls_harder_at_its_image() {
    let place = Place::new();
    place.succeed(&TRAINED);
    let clamp = ["predict", "run", "--clamp", "all"];
    let with = |strength: &str| place.json(&[&clamp[..], &["--clamp-strength", strength]].concat());
    let (plain, one) = (place.json(&clamp), with("1"));
    assert_eq!(plain, one);
    assert_eq!(plain["clamp_strength"], 1.0);
    let weak = fs::read(place.path("run/classes.png")).unwrap();
    let four = with("4");
    let strong = fs::read(place.path("run/classes.png")).unwrap();
    assert_ne!(weak, strong);
    assert!(n_right(&four) >= 7, "{four}");
    let spread = |report: &Value| {
        let energies = field(report, "energy");
        let apart = energies.iter().map(|energy| (energy - energies[0]).abs());
        apart.fold(0.0, f64::max)
    };
    assert!(spread(&four) > spread(&plain), "{four} {plain}");
    // One that hardly pulls leaves all images alike.
    let none = with("1e-6");
    assert!(spread(&none) < 1e-3, "{none}");
    for strength in ["nan", "inf", "0", "-1", "1e60"] {
        let refused = [&clamp[..], &["--clamp-strength", strength]].concat();
        place.refuse(
            &refused,
            &["--clamp-strength must be a number greater than 0"],
        );
    }
    place.refuse(&["predict", "run", "--clamp-strength", "4"], &["--clamp"]);
    image::GrayImage::new(8, 8)
        .save(place.path("digit.png"))
        .unwrap();
    let image = [
        "predict",
        "run",
        "digit.png",
        "--clamp=top",
        "--clamp-strength=4",
    ];
    place.refuse(&image, &["--clamp-strength is of a class"]);
}

#[test]
fn a_half_of_an_image_is_clamped_and_the_rest_relaxes() {
    let place = Place::new();
    place.succeed(&TRAINED);
    let save = |name: &str, is_inverted_below: bool| {
        let image = image::GrayImage::from_fn(8, 8, |column, row| {
            let is_ink = (3..5).contains(&column) != (is_inverted_below && row >= 4);
            image::Luma([u8::from(is_ink) * 255])
        });
        image.save(place.path(name)).unwrap();
    };
    save("one.png", false);
    save("other.png", true);
    let report = place.json(&["predict", "run", "one.png", "other.png", "--clamp", "top"]);
    let completed = report["completed"].as_array().unwrap();
    let [one, other] = completed.as_slice() else {
        panic!("{report}");
    };
    // The covered part affects only the reported error.
    let number = |of: &Value, name: &str| of[name].as_f64().unwrap();
    assert_eq!(one["class"], other["class"]);
    let [energy, other_energy] = [one, other].map(|of| number(of, "energy"));
    assert!((energy - other_energy).abs() < 1e-3, "{report}");
    let [error, other_error] = [one, other].map(|of| number(of, "squared_error"));
    assert!((error - other_error).abs() > 0.1, "{report}");
    let picture = image::open(place.path("run/completed.png"))
        .unwrap()
        .into_rgb8();
    assert_eq!(picture.dimensions(), (4 + 2 * 84, 4 + 3 * 84));
    let pixel =
        |row: u32, x: u32, y: u32| *picture.get_pixel(4 + x * 10 + 5, 4 + row * 84 + y * 10 + 5);
    // The top half is as it was in all rows, and the bottom is covered in the second.
    for (x, y) in [(0, 0), (3, 0), (4, 3), (7, 2)] {
        assert_eq!([pixel(1, x, y), pixel(2, x, y)], [pixel(0, x, y); 2]);
    }
    assert_eq!(pixel(1, 3, 4), image::Rgb([64, 64, 80]));
}

#[test]
fn classes_that_are_not_there_are_refused() {
    let place = Place::new();
    place.succeed(&[&QUICK[..], &["--run", "run"]].concat());
    for class in ["10", "seven", "-1", "7,x"] {
        let clamp = format!("--clamp={class}");
        place.refuse(&["predict", "run", &clamp], &["there is no class", "`all`"]);
    }
    let top = ["predict", "run", "--clamp", "top"];
    place.refuse(&top, &["there is no class `top`", "which need an image"]);
    image::GrayImage::new(8, 8)
        .save(place.path("digit.png"))
        .unwrap();
    let both = ["predict", "run", "digit.png", "--clamp"];
    for (clamp, expected) in [("7", "no half of an image"), ("top,left", "in one half")] {
        place.refuse(&[&both[..], &[clamp]].concat(), &[expected]);
    }
    place.refuse(&["predict", "run"], &["<IMAGES>..."]);
}

#[test]
fn a_network_whose_input_cannot_relax_says_why() {
    let place = Place::new();
    let cases = [
        ("untied", &["model=untied"][..], "without an energy"),
        ("pcn", &["model=predictive_coding"], "its own prediction"),
        (
            "circuit",
            &["model=resistive", "hidden_activation=diode"],
            "voltage source",
        ),
        ("readout", &["cost=cross_entropy"], "are read out"),
        ("normalized", &["normalize=true"], "normalized images"),
    ];
    for (name, changes, expected) in cases {
        let changes = changes.iter().flat_map(|change| ["--set", change]);
        let train: Vec<_> = QUICK
            .into_iter()
            .chain(changes)
            .chain(["--run", name])
            .collect();
        place.succeed(&train);
        place.refuse(&["predict", name, "--clamp", "all"], &[expected, "train"]);
    }
    let table = (0..40).map(|i| format!("{},{}.5\n", i % 7, i * i));
    std::fs::write(place.path("t.csv"), table.collect::<String>()).unwrap();
    let train = [
        "train",
        "--dataset=t.csv",
        "--task=regression",
        "--epochs=1",
    ];
    place.succeed(&[&train[..], &["--run", "quantities"]].concat());
    for clamp in ["all", "0"] {
        let predict = ["predict", "quantities", "--clamp", clamp];
        place.refuse(&predict, &["--clamp is for classes"]);
    }
}
