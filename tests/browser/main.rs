//! Tests the page of `eqprop watch` in a real browser. Needs Chromium and its driver (Debian:
//! `chromium-driver`), and is therefore run only when named:
//! `cargo test --release --workspace --test browser -- --test-threads 1`.

mod driver;
#[allow(dead_code, reason = "the tests of the program use the rest")]
#[path = "../program/http.rs"]
mod http;
#[allow(dead_code, reason = "the tests of the program use the rest")]
#[path = "../program/page.rs"]
mod page;
#[allow(dead_code, reason = "the tests of the program use the rest")]
#[path = "../program/place.rs"]
mod place;

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use driver::Browser;
use page::Page;
use place::Place;

/// Creates a trained network, its page, and a browser that shows it.
fn shown() -> (Place, Page, Browser) {
    let place = Place::new();
    place.succeed(&["train", "--epochs", "3", "--run", "run"]);
    let (page, browser) = opened(&place);
    (place, page, browser)
}

fn opened(place: &Place) -> (Page, Browser) {
    let page = Page::of(place, "run", &[]);
    let browser = Browser::start(1280, 1000);
    browser.open(&format!("http://{}/", page.address));
    browser.wait("return eqprop.ready === true && !eqprop.playing");
    (page, browser)
}

fn numbers(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).unwrap()
}

fn assert_close(a: &Value, b: &Value, tolerance: f64) {
    let (a, b) = (numbers(a), numbers(b));
    assert_eq!(a.len(), b.len());
    let far = a
        .iter()
        .zip(&b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max);
    assert!(far <= tolerance, "{a:?} {b:?}");
}

/// A script that returns the values displayed beside the classes.
const SHOWN: &str = "return [...document.querySelectorAll('#classes .value')].map((one) => Number(one.textContent))";

/// A script that returns the color of a corner of the drawing.
const GROUND: &str =
    "return [...document.getElementById('draw').getContext('2d').getImageData(5, 5, 1, 1).data]";

#[test]
fn the_ground_of_a_drawing_is_that_of_the_images() {
    let (_place, _page, browser) = shown();
    assert_eq!(browser.run(GROUND), json!([0, 0, 0, 255]));

    let place = Place::new();
    for class in ["upright", "level"] {
        fs::create_dir_all(place.path("bars").join(class)).unwrap();
        for bar in 1..7 {
            let image = image::GrayImage::from_fn(8, 8, |x, y| {
                let at = if class == "upright" { x } else { y };
                image::Luma([if at == bar { 0 } else { 255 }])
            });
            image
                .save(place.path(&format!("bars/{class}/{bar}.png")))
                .unwrap();
        }
    }
    place.succeed(&[
        "train",
        "--dataset",
        "bars",
        "--epochs",
        "1",
        "--run",
        "run",
    ]);
    let (_page, browser) = opened(&place);
    assert_eq!(browser.run(GROUND), json!([255, 255, 255, 255]));
}

#[test]
fn a_drawing_relaxes_and_is_nudged_as_the_library_says() {
    let (place, page, browser) = shown();
    // A one, drawn with the pointer.
    browser.drag("#draw", &[(0, -90), (0, -30), (0, 30), (0, 90)]);
    browser.wait("return eqprop.truth === undefined && eqprop.course !== null && !eqprop.playing");
    let png = browser.run_async(
        "const done = arguments[0]; document.getElementById('draw').toBlob(async (blob) => \
         done(Array.from(new Uint8Array(await blob.arrayBuffer()))), 'image/png')",
    );
    let png: Vec<u8> = serde_json::from_value(png).unwrap();
    fs::write(place.path("drawn.png"), png).unwrap();
    let predicted = &place.json(&["predict", "run", "drawn.png"])["predictions"][0];
    // Step by step, and as one computation.
    let scores = browser.run("return eqprop.course.free.at(-1).scores");
    assert_close(&scores, &predicted["scores"], 1e-5);
    // The displayed values are the output at the end of the free phase, with three digits.
    assert_close(&browser.run(SHOWN), &predicted["scores"], 6e-4);
    let verdict = browser.run("return document.getElementById('verdict').textContent");
    assert_eq!(verdict, format!("Predicts {}", predicted["class"]));

    // A nudge toward another class, as the program computes it for whoever asks.
    browser.click("#classes button:nth-child(4)");
    browser.wait(
        "return eqprop.target === 3 && (eqprop.course.nudged || []).length > 1 && !eqprop.playing",
    );
    let question =
        browser.run("return { pixels: eqprop.pixels, target: eqprop.target, beta: eqprop.beta }");
    let body = question.to_string();
    let answer = http::ask(
        &page.address,
        "POST",
        "/api/relaxation",
        &[],
        body.as_bytes(),
    )
    .json();
    let steps = answer["nudged"].as_array().unwrap();
    let output = &steps[steps.len() - 1]["layers"][1];
    assert_close(&browser.run(SHOWN), output, 6e-4);
    assert!(numbers(output)[3] > numbers(&predicted["scores"])[3]);
    assert_eq!(
        browser.run("return document.getElementById('contrast-part').hidden"),
        false
    );
    let n_pictures = browser.run("return document.querySelectorAll('#contrast canvas').length");
    assert_eq!(n_pictures, 2 * answer["contrast"].as_array().unwrap().len());
    assert_eq!(
        browser.run("return document.getElementById('message').hidden"),
        true
    );

    // Any step can be gone back to.
    browser.run(
        "const step = document.getElementById('step'); step.value = 0; step.dispatchEvent(new Event('input'))",
    );
    let start = browser.run("return eqprop.course.free[0].layers[1]");
    assert_close(&browser.run(SHOWN), &start, 6e-4);
}

#[test]
fn keys_do_what_the_pointer_does() {
    let (_place, _page, browser) = shown();
    browser.run("document.getElementById('draw').focus()");
    let before = browser.run("return eqprop.asked");
    // Space draws a dot; with shift the arrows draw a line.
    browser.keys(&[
        " ",
        "\u{E008}\u{E015}\u{E015}\u{E015}\u{E015}\u{E015}\u{E015}",
    ]);
    browser.wait(&format!(
        "return eqprop.asked > {before} && eqprop.truth === undefined && !eqprop.playing"
    ));
    let ink = browser.run("return eqprop.pixels.reduce((sum, value) => sum + value, 0)");
    assert!(ink.as_f64().unwrap() > 1.0, "{ink}");
    // Buttons are reached and pressed.
    browser.run("document.querySelector('#classes button:nth-child(6)').focus()");
    browser.keys(&["\u{E007}"]);
    browser.wait("return eqprop.target === 5 && (eqprop.course.nudged || []).length > 1");
    let named = browser.run(
        "return [...document.querySelectorAll('button, input, canvas:not([aria-hidden])')].every((one) => one.textContent.trim() || \
         one.getAttribute('aria-label') || one.labels?.length)",
    );
    assert_eq!(named, true);
}

#[test]
fn reduced_motion_and_narrow_screens_are_respected() {
    let (_place, _page, browser) = shown();
    let features = [
        ("prefers-reduced-motion", "reduce"),
        ("prefers-color-scheme", "dark"),
    ];
    let features = features.map(|(name, value)| json!({ "name": name, "value": value }));
    browser.cdp(
        "Emulation.setEmulatedMedia",
        json!({ "features": features }),
    );
    browser.run(
        "const step = document.getElementById('step'); step.value = 0; step.dispatchEvent(new Event('input'))",
    );
    assert_eq!(browser.run("return eqprop.at"), 0);
    browser.click("#play");
    assert_eq!(browser.run("return eqprop.playing"), false);
    assert_eq!(
        browser.run("return eqprop.at === eqprop.steps.length - 1"),
        true
    );
    let ground = browser.run("return getComputedStyle(document.body).backgroundColor");
    assert_eq!(ground, "rgb(21, 23, 26)");
    browser.cdp(
        "Emulation.setDeviceMetricsOverride",
        json!({ "width": 400, "height": 800, "deviceScaleFactor": 2, "mobile": true }),
    );
    let width = browser.run("return document.documentElement.scrollWidth");
    assert!(width.as_f64().unwrap() <= 400.0, "{width}");
}

#[test]
fn a_training_is_followed_and_an_end_is_said() {
    let (place, mut page, browser) = shown();
    // A refusal stays on display.
    browser.run(
        "const beta = document.getElementById('beta'); beta.value = beta.min; beta.dispatchEvent(new Event('input'))",
    );
    browser.click("#classes button:nth-child(2)");
    let said = "return document.getElementById('message').textContent";
    browser.wait("return document.getElementById('message').textContent.includes('beta')");
    sleep(Duration::from_secs(3));
    assert!(browser.run(said).as_str().unwrap().contains("beta"));

    let epoch = "return document.getElementById('training-text').textContent";
    assert!(
        browser
            .run(epoch)
            .as_str()
            .unwrap()
            .starts_with("Epoch 3 of 3")
    );
    place.succeed(&["train", "--resume", "--run", "run", "--epochs", "5"]);
    browser
        .wait("return document.getElementById('training-text').textContent.startsWith('Epoch 5')");
    page.child.kill().unwrap();
    page.child.wait().unwrap();
    browser.wait("return document.getElementById('message').textContent.includes('has ended')");
}

#[test]
fn a_relaxation_moves_smoothly() {
    let (_place, _page, browser) = shown();
    let frames = browser.run_async(
        "const done = arguments[0]; const speed = document.getElementById('speed'); speed.value = 5; \
         document.getElementById('play').click(); const [frames, from] = [eqprop.frames, performance.now()]; \
         setTimeout(() => done((eqprop.frames - frames) / (performance.now() - from) * 1000), 2000)",
    );
    // A screen shows 60 in a second; 30 are smooth, and other work beside the tests may take some of them.
    assert!(
        frames.as_f64().unwrap() >= 15.0,
        "{frames} frames in a second"
    );
}
