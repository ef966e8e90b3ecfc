//! `eqprop watch`: the page receives what the library computes, and no other page receives anything.

use std::io::{Cursor, Read};
use std::net::TcpListener;

use image::{GrayImage, ImageFormat, Luma};
use serde_json::{Value, json};

use crate::http::{Answer, ask};
use crate::page::Page;
use crate::place::{Place, QUICK};

fn trained(arguments: &[&str]) -> Place {
    let place = Place::new();
    place.succeed(&[&QUICK[..], &["--run", "run"], arguments].concat());
    place
}

fn get(page: &Page, path: &str) -> Value {
    let answer = ask(&page.address, "GET", path, &[], b"");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn relax(page: &Page, question: &Value) -> Answer {
    let body = question.to_string();
    ask(
        &page.address,
        "POST",
        "/api/relaxation",
        &[],
        body.as_bytes(),
    )
}

fn numbers(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).unwrap()
}

/// Returns the end of the free phase.
fn last(answer: &Value) -> &Value {
    answer["free"].as_array().unwrap().last().unwrap()
}

/// Returns the first test example.
fn first(page: &Page) -> Value {
    get(page, "/api/examples")[0].clone()
}

#[test]
fn an_example_relaxes_to_what_predict_and_evaluate_say() {
    let place = trained(&[]);
    let page = Page::of(&place, "run", &[]);
    let network = get(&page, "/api/network");
    assert_eq!(network["network"], "64-128-10");
    assert_eq!(network["input"], json!([1, 8, 8]));
    let example = first(&page);
    let answer = relax(&page, &json!({ "pixels": example["pixels"] })).json();
    let free = answer["free"].as_array().unwrap();
    assert_eq!(
        free.len() as u64,
        1 + network["free_steps"].as_u64().unwrap()
    );
    assert!(answer.get("nudged").is_none());
    let energies: Vec<f64> = free
        .iter()
        .map(|step| step["energy"].as_f64().unwrap())
        .collect();
    // Asynchronous steps never raise it; the first ones lower it a lot.
    let rises = energies.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(
        rises.fold(f64::MIN, f64::max) < 1e-4 * energies[0].abs().max(1.0),
        "{energies:?}"
    );
    assert!(energies[0] - energies[free.len() - 1] > 0.1, "{energies:?}");

    // The same image, as a file: the same scores.
    let pixels = numbers(&example["pixels"]);
    let most = pixels.iter().copied().fold(0.0, f64::max);
    assert!(most <= 1.0);
    let image = GrayImage::from_fn(8, 8, |x, y| {
        Luma([(255.0 * pixels[(8 * y + x) as usize]).round() as u8])
    });
    image.save(place.path("image.png")).unwrap();
    let predicted = &place.json(&["predict", "run", "image.png"])["predictions"][0];
    let pairs = numbers(&last(&answer)["scores"])
        .into_iter()
        .zip(numbers(&predicted["scores"]));
    // A pixel of the file is rounded to 1/255.
    for (shown, predicted) in pairs {
        assert!((shown - predicted).abs() < 0.02, "{shown} {predicted}");
    }
    let end = last(&answer);
    assert_eq!(end["layers"][1], end["scores"]);

    // The mistakes are those that `evaluate` counts.
    let mistakes = get(&page, "/api/training")["mistakes"].clone();
    let report = place.json(&["evaluate", "run", "--max-test", "500"]);
    let share = report["test_error"].as_f64().unwrap() * report["n_examples"].as_f64().unwrap();
    assert_eq!(mistakes["n_wrong"].as_f64().unwrap(), share.round());
    assert_eq!(mistakes["n_judged"], report["n_examples"]);
}

#[test]
fn a_nudge_moves_the_output_toward_its_class_and_away_with_the_other_sign() {
    let place = trained(&[]);
    let page = Page::of(&place, "run", &[]);
    let pixels = first(&page)["pixels"].clone();
    let moved = |beta: f64| {
        let question = json!({ "pixels": pixels, "target": 3, "beta": beta });
        let answer = relax(&page, &question).json();
        let last = |phase: &str, layer: usize| {
            let steps = answer[phase].as_array().unwrap();
            numbers(&steps[steps.len() - 1]["layers"][layer])
        };
        // The nudged phase begins where the free one ends.
        assert_eq!(answer["nudged"][0]["layers"][0], json!(last("free", 0)));
        let hidden = last("nudged", 0)
            .iter()
            .zip(last("free", 0))
            .map(|(a, b)| (a - b).abs())
            .sum::<f64>();
        (last("nudged", 1)[3] - last("free", 1)[3], hidden, answer)
    };
    let (toward, hidden, answer) = moved(0.5);
    let (away, ..) = moved(-0.5);
    assert!(toward > 0.01 && away < -0.01, "{toward} {away}");
    assert!(
        hidden > 1e-3,
        "the error reaches the hidden layer: {hidden}"
    );

    // The change of the weights is −1/β of the states' difference behind each unit times the input.
    let unit = &answer["contrast"][0];
    let (index, change) = (
        unit["unit"].as_u64().unwrap() as usize,
        numbers(&unit["change"]),
    );
    let state = |phase: &str| {
        let steps = answer[phase].as_array().unwrap();
        numbers(&steps[steps.len() - 1]["layers"][0])[index]
    };
    let slope = (state("nudged") - state("free")) / 0.5;
    for (change, pixel) in change.into_iter().zip(numbers(&pixels)) {
        assert!(
            (change - slope * pixel).abs() < 1e-4,
            "{change} {slope} {pixel}"
        );
    }
}

#[test]
fn a_drawing_is_what_predict_makes_of_it() {
    let place = trained(&[]);
    let page = Page::of(&place, "run", &[]);
    let image = GrayImage::from_fn(280, 280, |x, y| {
        Luma([if x.abs_diff(140) < 20 && y.abs_diff(140) < 100 {
            255
        } else {
            0
        }])
    });
    image.save(place.path("drawn.png")).unwrap();
    let mut png = Cursor::new(Vec::new());
    image.write_to(&mut png, ImageFormat::Png).unwrap();
    let drawn = ask(&page.address, "POST", "/api/drawing", &[], png.get_ref());
    let answer = relax(&page, &json!({ "pixels": drawn.json()["pixels"] })).json();
    let predicted = &place.json(&["predict", "run", "drawn.png"])["predictions"][0];
    // Step by step, and as one computation.
    let pairs = numbers(&last(&answer)["scores"])
        .into_iter()
        .zip(numbers(&predicted["scores"]));
    for (shown, predicted) in pairs {
        assert!((shown - predicted).abs() < 1e-5, "{shown} {predicted}");
    }
    let answer = ask(&page.address, "POST", "/api/drawing", &[], b"no picture");
    assert_eq!(answer.status, 400, "{answer:?}");
}

#[test]
fn what_cannot_be_asked_is_refused_by_name() {
    let place = trained(&[]);
    let page = Page::of(&place, "run", &[]);
    let pixels = first(&page)["pixels"].clone();
    let refused = |question: Value, part: &str| {
        let answer = relax(&page, &question);
        assert_eq!(answer.status, 400, "{answer:?}");
        let message = answer.json()["error"].as_str().unwrap().to_string();
        assert!(message.contains(part), "{message}");
    };
    refused(json!({ "pixels": [1.0] }), "64 numbers, but there are 1");
    refused(
        json!({ "pixels": pixels, "target": 10, "beta": 0.5 }),
        "classes 0 to 9",
    );
    refused(
        json!({ "pixels": pixels, "target": 1, "beta": 0.0 }),
        "other than 0",
    );
    refused(
        json!({ "pixels": pixels, "target": 1, "beta": -1.5 }),
        "beta > -1",
    );
    refused(json!({ "pixel": pixels }), "pixels");
    let mut broken = vec![0.0; 64];
    broken[0] = 1e39;
    refused(json!({ "pixels": broken }), "out of range");
    let answer = ask(&page.address, "GET", "/api/examples?from=100000", &[], b"");
    assert_eq!(answer.json(), json!([]));
    let answer = ask(&page.address, "GET", "/etc/passwd", &[], b"");
    assert_eq!(answer.status, 404);
}

#[test]
fn other_pages_are_not_answered() {
    let place = trained(&[]);
    let page = Page::of(&place, "run", &[]);
    let port = page.address.split(':').nth(1).unwrap();
    let status =
        |headers: &[(&str, &str)]| ask(&page.address, "GET", "/api/network", headers, b"").status;
    let local = format!("localhost:{port}");
    assert_eq!(status(&[("host", &local)]), 200);
    assert_eq!(status(&[("origin", &format!("http://{local}"))]), 200);
    // A name that leads here, another page, another port, a page in a file.
    assert_eq!(status(&[("host", &format!("evil.example:{port}"))]), 403);
    assert_eq!(status(&[("host", "localhost")]), 403);
    for (site, expected) in [("same-origin", 200), ("none", 200), ("cross-site", 403)] {
        assert_eq!(status(&[("sec-fetch-site", site)]), expected, "{site}");
    }
    for origin in [
        "http://evil.example",
        "http://localhost:1",
        "https://localhost",
        "null",
    ] {
        assert_eq!(status(&[("origin", origin)]), 403, "{origin}");
    }
    // A form of another page, which sends no origin in some browsers, cannot send JSON.
    let text = [("content-type", "text/plain")];
    let answer = ask(&page.address, "POST", "/api/relaxation", &text, b"{}");
    assert_eq!(answer.status, 415);
    let answer = ask(&page.address, "GET", "/", &[], b"");
    assert!(
        answer
            .headers
            .contains("content-security-policy: default-src 'self'"),
        "{answer:?}"
    );
}

#[test]
fn the_page_follows_a_training_that_goes_on() {
    let place = trained(&[]);
    let page = Page::of(&place, "run", &[]);
    let before = get(&page, "/api/training");
    assert_eq!(before["epochs"].as_array().unwrap().len(), 2);
    assert_eq!(before["epochs"][1]["epoch"], 2.0);
    let pixels = first(&page)["pixels"].clone();
    let scores = || {
        let answer = relax(&page, &json!({ "pixels": pixels })).json();
        numbers(&last(&answer)["scores"])
    };
    let old = scores();
    // Long enough to be looked at while it goes on.
    let mut training = place.start(&["train", "--resume", "--run", "run", "--epochs", "2000"]);
    let after = loop {
        let now = get(&page, "/api/training");
        if now["epochs"].as_array().unwrap().len() > 3 || training.try_wait().unwrap().is_some() {
            break now;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    let new = scores();
    let has_ended = training.try_wait().unwrap().is_some();
    training.kill().unwrap();
    training.wait().unwrap();
    assert!(!has_ended, "the training ended before the page showed it");
    assert_ne!(after["filters"], before["filters"]);
    assert_ne!(new, old);
}

#[cfg(unix)]
#[test]
fn it_ends_at_once_when_it_is_interrupted() {
    let place = trained(&[]);
    let mut page = Page::of(&place, "run", &["--json"]);
    get(&page, "/api/network");
    crate::place::signal(&page.child, "-INT");
    assert!(page.child.wait().unwrap().success());
    let mut said = String::new();
    page.child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["n_answers"], 1);
    let mut rest = String::new();
    page.stderr.read_to_string(&mut rest).unwrap();
    assert!(!rest.contains("error"), "{rest}");
}

#[test]
fn a_port_that_is_taken_and_a_run_without_classes_are_refused() {
    let place = trained(&[]);
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    place.refuse(
        &["watch", "run", "--port", &port],
        &["port", &port, "another program"],
    );
    place.refuse(&["watch", "nowhere"], &["nowhere", "not a run folder"]);
    let rows = (0..60).map(|i| format!("{i},{},{}\n", i % 7, 2 * i));
    let table = std::iter::once("a,b,y\n".to_string()).chain(rows);
    std::fs::write(place.path("numbers.csv"), table.collect::<String>()).unwrap();
    let train = [
        "train",
        "--dataset",
        "numbers.csv",
        "--target",
        "y",
        "--task",
        "regression",
    ];
    place.succeed(&[&train[..], &["--epochs", "1", "--run", "fit"]].concat());
    place.refuse(
        &["watch", "fit", "--port", "0"],
        &["quantities", "eqprop relax"],
    );
}

#[test]
fn models_of_every_kind_are_shown() {
    for settings in [
        &[
            "--set",
            "model=resistive",
            "--set",
            "hidden_activation=diode",
            "--set",
            "output_activation=identity",
        ][..],
        &["--set", "cost=cross_entropy"],
        &[
            "--set",
            r#"hidden=[{"channels":4,"kernel":3,"pooling":{"max":2}}]"#,
        ],
        &["--set", "model=untied"],
        &[
            "--set",
            "model=oscillators",
            "--set",
            "cost=phase_error",
            "--set",
            "hidden_activation=phase",
            "--set",
            "output_activation=phase",
        ],
    ] {
        let place = trained(settings);
        let page = Page::of(&place, "run", &[]);
        let pixels = first(&page)["pixels"].clone();
        let answer = relax(
            &page,
            &json!({ "pixels": pixels, "target": 1, "beta": 0.1 }),
        );
        assert_eq!(answer.status, 200, "{settings:?}: {answer:?}");
        let answer = answer.json();
        let nudged = answer["nudged"].as_array().unwrap().last().unwrap();
        let moved = numbers(&nudged["scores"])[1] - numbers(&last(&answer)["scores"])[1];
        // Drives, which scores of clipped units are, may fall where feedback has weights of its own.
        let is_symmetric = !settings.contains(&"model=untied");
        assert!(moved > 0.0 || !is_symmetric, "{settings:?}: {moved}");
        let units = answer["contrast"].as_array().unwrap();
        assert!(!units.is_empty(), "{settings:?}");
        let n_pixels =
            units[0]["size"][0].as_u64().unwrap() * units[0]["size"][1].as_u64().unwrap();
        for unit in units {
            assert_eq!(unit["weights"].as_array().unwrap().len() as u64, n_pixels);
            assert_eq!(unit["change"].as_array().unwrap().len() as u64, n_pixels);
        }
    }
}
