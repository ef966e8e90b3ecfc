//! What a network takes classes to look like.

use serde_json::Value;

use crate::place::{Place, QUICK};

/// Trained for long enough that the classes look different.
const TRAINED: [&str; 7] = [
    "train",
    "--set",
    "n_train=400",
    "--epochs",
    "8",
    "--run",
    "run",
];

/// The number of a field in the report of each class.
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
        said.contains("class 7: energy -") && said.contains("classes.png"),
        "{said}"
    );
}

#[test]
fn classes_that_are_not_there_are_refused() {
    let place = Place::new();
    place.succeed(&[&QUICK[..], &["--run", "run"]].concat());
    for class in ["10", "seven", "-1", "7,x"] {
        let clamp = format!("--clamp={class}");
        place.refuse(&["predict", "run", &clamp], &["there is no class", "`all`"]);
    }
    let both = ["predict", "run", "digit.png", "--clamp", "7"];
    place.refuse(&both, &["--clamp", "cannot be used with"]);
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
}
