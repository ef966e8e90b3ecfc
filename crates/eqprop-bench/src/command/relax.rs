//! `eqprop relax`.

use std::fs;

use anyhow::{Context, Result, bail};
use eqprop_core::energy::VectorField;
use eqprop_train::data::Examples;
use eqprop_train::file::write_atomically;
use serde_json::json;

use crate::cli::RelaxArguments;
use crate::figure::{RelaxationCourse, classes_in_turn, tensor};
use crate::output::{
    Report, check_finite, class_text, label_names, label_text, named_quantities, predicted_labels,
    predicted_quantities, text_of,
};
use crate::plot::Tile;
use crate::run::RunFolder;

/// The most examples in a picture: more could not be distinguished.
const MOST_EXAMPLES: usize = 50;

/// Draws the free phase of the first test examples, or of the first of each class if those are all of one,
/// starting at rest.
///
/// # Errors
/// If the run, the data or the device cannot be used, or the pictures cannot be written.
pub fn run(arguments: RelaxArguments) -> Result<Report> {
    if arguments.examples == 0 {
        bail!("--examples must be at least 1");
    }
    if arguments.examples > MOST_EXAMPLES {
        bail!(
            "--examples must be at most {MOST_EXAMPLES}, but is {}: each has a line and a row of its own \
             in the pictures",
            arguments.examples
        );
    }
    let folder = RunFolder::open(&arguments.run)?;
    let run = folder.trained(arguments.device.device.as_deref())?;
    let dataset = run.load_data(arguments.data.data_dir.as_deref())?;
    let test = classes_in_turn(dataset.test);
    let examples = test.take(arguments.examples).in_memory()?;

    let network = &run.learner.network;
    let course = RelaxationCourse::follow(network, &run.config, &examples, &run.device.device);
    let last = course
        .states
        .last()
        .context("a relaxation has a last state")?;
    let input = tensor(&examples, &run.device.device);
    let scores = network.scores(&network.energy.clamp(&input), last);
    let numbers = scores.clone().into_data().iter::<f64>().collect::<Vec<_>>();
    check_finite(
        "energy, residual or a score",
        numbers.into_iter().chain(course.numbers()),
    )?;
    let source = &run.config.data.dataset;
    let quantities = predicted_quantities(source, last.output());
    let labels = predicted_labels(source, last.output());
    let classes: Vec<i64> = match quantities.is_empty() && labels.is_empty() {
        true => scores.argmax(1).into_data().iter::<i64>().collect(),
        false => Vec::new(),
    };

    let out = arguments.out.as_deref().unwrap_or(folder.path());
    fs::create_dir_all(out).with_context(|| format!("cannot make `{}`", out.display()))?;
    let pictures = [
        ("relax-energy.svg", course.chart()?),
        ("relax-states.svg", course.tiles(&input_tiles(&examples))?),
    ];
    let mut text = String::new();
    for (name, svg) in &pictures {
        let path = out.join(name);
        write_atomically(&path, svg.as_bytes())
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        text += &format!("wrote {}\n", path.display());
    }
    for (label, values) in course.labels.iter().zip(&quantities) {
        let values = named_quantities(source, values);
        text += &format!("{label} relaxes to {values}\n");
    }
    for (label, found) in course.labels.iter().zip(&labels) {
        text += &format!("{label} relaxes to {}\n", label_text(source, found));
    }
    for (label, &class) in course.labels.iter().zip(&classes) {
        let class = class_text(source, class as usize);
        text += &format!("{label} relaxes to {class}\n");
    }
    let mut report = json!({
        "pictures": pictures.map(|(name, _)| text_of(&out.join(name))),
        "labels": examples.labels,
        "classes": classes,
        "n_steps": course.states.len() - 1,
    });
    if !quantities.is_empty() {
        let wanted = (0..examples.len()).map(|i| examples.quantities(i));
        report["quantities"] = json!(wanted.collect::<Vec<_>>());
        report["predicted"] = json!(quantities);
    }
    if !labels.is_empty() {
        let named = |found: Vec<usize>| json!(label_names(source, &found));
        let wanted = (0..examples.len()).map(|i| named(examples.label_set(i)));
        report["labels"] = wanted.collect();
        report["predicted"] = labels.into_iter().map(named).collect();
    }
    Ok(Report::new(text, &report))
}

/// Converts the examples to gray images: the mean over their channels.
fn input_tiles(examples: &Examples) -> Vec<Tile> {
    let [channels, height, width] = examples.shape;
    let n_pixels = height * width;
    let gray = |input: &[f32], pixel: usize| {
        let values = input.iter().skip(pixel).step_by(n_pixels);
        values.sum::<f32>() / channels as f32
    };
    let tile = |index| Tile {
        caption: "input".to_string(),
        height,
        width,
        values: (0..n_pixels)
            .map(|pixel| gray(examples.input(index), pixel))
            .collect(),
    };
    (0..examples.len()).map(tile).collect()
}
