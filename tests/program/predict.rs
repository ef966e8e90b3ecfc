//! `eqprop predict` on images of every kind.

use std::fs;

use image::{GrayAlphaImage, GrayImage, Luma, LumaA};
use serde_json::Value;

use crate::place::{Outcome, Place, QUICK};

/// Returns a folder with the run `run`.
fn trained() -> Place {
    let place = Place::new();
    place.succeed(&[&QUICK[..], &["--run", "run"]].concat());
    place
}

/// Draws a stroke of `ink` on `ground`, upright in the middle.
fn stroke(width: u32, height: u32, ink: u8, ground: u8) -> GrayImage {
    GrayImage::from_fn(width, height, |column, row| {
        let is_ink = column.abs_diff(width / 2) <= 4 && row.abs_diff(height / 2) <= 24;
        Luma([if is_ink { ink } else { ground }])
    })
}

/// Returns the results for the images in the order of their names, and the text on standard error.
fn predict(place: &Place, arguments: &[&str]) -> (Vec<Value>, String) {
    let mut all = vec!["predict", "run", "--json"];
    all.extend(arguments);
    let outcome = place.run(&all).succeeded();
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let predictions = report["predictions"].as_array().unwrap();
    let scores = predictions.iter().map(|each| each["scores"].clone());
    (scores.collect(), outcome.stderr)
}

#[test]
fn a_stroke_is_the_same_stroke_in_every_picture_of_it() {
    let place = trained();
    let save = |name: &str, image: GrayImage| image.save(place.path(name)).unwrap();
    save("square.png", stroke(64, 64, 255, 0));
    // Beside it there is less ground, which is filled in again.
    save("upright.png", stroke(32, 64, 255, 0));
    save("dark.png", stroke(64, 64, 0, 255));
    for (name, ink) in [("clear-bright.png", 255), ("clear-dark.png", 0)] {
        let mask = stroke(64, 64, 255, 0);
        let image = GrayAlphaImage::from_fn(64, 64, |column, row| {
            LumaA([ink, mask.get_pixel(column, row)[0]])
        });
        image.save(place.path(name)).unwrap();
    }
    let (bright, said) = predict(&place, &["square.png", "upright.png", "clear-bright.png"]);
    let numbers = |scores: &Value| serde_json::from_value::<Vec<f64>>(scores.clone()).unwrap();
    assert_eq!(bright[2], bright[0]);
    // An image that is scaled by itself is rounded otherwise at its edges; a stroke that is squeezed
    // or a pixel away changes scores by some hundredths.
    let pairs = numbers(&bright[1]).into_iter().zip(numbers(&bright[0]));
    assert!(
        pairs.into_iter().all(|(a, b)| (a - b).abs() < 5e-4),
        "{bright:?}"
    );
    assert_eq!(said, "");
    let (dark, said) = predict(&place, &["dark.png", "clear-dark.png", "--invert"]);
    assert_eq!(dark[0], dark[1]);
    // Scaling rounds dark on bright otherwise than bright on dark, in `f32`.
    for (dark, bright) in numbers(&dark[0]).iter().zip(numbers(&bright[0])) {
        assert!((dark - bright).abs() < 1e-4, "{dark} {bright}");
    }
    assert_eq!(said, "");
}

#[test]
fn a_picture_that_is_inverted_or_empty_is_warned_of_by_name() {
    let place = trained();
    let save = |name: &str, image: GrayImage| image.save(place.path(name)).unwrap();
    save("bright.png", stroke(64, 64, 255, 0));
    save("dark.png", stroke(64, 64, 0, 255));
    save("empty.png", GrayImage::new(8, 8));
    let (_, said) = predict(&place, &["bright.png", "dark.png", "empty.png"]);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    for (line, name) in lines.iter().zip(["`dark.png`", "`empty.png`"]) {
        assert!(line.starts_with("warning: "), "{said}");
        assert!(line.contains(name) && line.contains("--invert"), "{said}");
    }
    let (_, said) = predict(&place, &["bright.png", "dark.png", "--invert"]);
    assert!(
        said.contains("`bright.png` looks dark on bright after --invert"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[cfg(unix)]
#[test]
fn a_picture_may_have_a_name_that_is_not_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let place = trained();
    stroke(64, 64, 255, 0)
        .save(place.path("bright.png"))
        .unwrap();
    let name = OsStr::from_bytes(b"x\xff.png");
    fs::rename(place.path("bright.png"), place.path("").join(name)).unwrap();
    for json in [&[][..], &["--json"]] {
        let mut command = place.command(&["predict", "run"]);
        command.args(json).arg(name);
        let outcome = Outcome::of(command).succeeded();
        assert!(outcome.stdout.contains("x\u{fffd}.png"), "{outcome:?}");
    }
}

#[test]
fn a_picture_of_billions_of_pixels_is_refused() {
    let place = trained();
    stroke(8, 8, 255, 0).save(place.path("large.png")).unwrap();
    let mut png = fs::read(place.path("large.png")).unwrap();
    // Width and height, then the checksum of the header.
    png[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let mut checksum = flate2::Crc::new();
    checksum.update(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.sum().to_be_bytes());
    fs::write(place.path("large.png"), png).unwrap();
    place.refuse(
        &["predict", "run", "large.png"],
        &["`large.png`", "60000x60000"],
    );
}
