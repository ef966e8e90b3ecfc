//! `eqprop predict`.

use std::path::Path;

use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor, TensorData};
use eqprop_core::energy::VectorField;
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::Examples;
use image::imageops::{self, FilterType};
use serde_json::json;

use crate::cli::PredictArguments;
use crate::output::{Report, check_finite, text_of};
use crate::run::RunFolder;

/// Classifies images.
///
/// # Errors
/// If the run, an image or the device cannot be used; then no image is classified.
pub fn run(arguments: PredictArguments) -> Result<Report> {
    let folder = RunFolder::open(&arguments.run)?;
    let run = folder.trained(arguments.device.device.as_deref())?;
    let inputs: Result<Vec<_>> = arguments
        .images
        .iter()
        .map(|path| {
            let pixels = read(path, run.config.dataset.image_shape(), arguments.invert)?;
            Ok(input(&run.config, pixels, &run.device.device))
        })
        .collect();

    let network = &run.learner.network;
    let mut text = String::new();
    let mut report = Vec::new();
    for (path, input) in arguments.images.iter().zip(inputs?) {
        let relaxed = run.learner.infer(&input);
        let info = relaxed.info();
        let scores = network.scores(&network.energy.clamp(&input), &relaxed.state);
        let scores: Vec<f64> = scores.into_data().iter::<f64>().collect();
        check_finite(
            "residual or a score",
            scores.iter().copied().chain([info.residual]),
        )?;
        let mut ranking: Vec<usize> = (0..scores.len()).collect();
        ranking.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let (class, second) = (ranking[0], ranking[1]);
        let margin = scores[class] - scores[second];
        text += &format!(
            "{}: class {class}, margin {margin:.3} over class {second}; {} steps, residual {:.2e}\n",
            path.display(),
            info.n_steps,
            info.residual
        );
        report.push(json!({
            "image": text_of(path),
            "class": class,
            "margin": margin,
            "scores": scores,
            "n_steps": info.n_steps,
            "residual": info.residual,
        }));
    }
    Ok(Report::new(text, &json!({ "predictions": report })))
}

/// An image as an input, `[1, n_inputs]`.
fn input(config: &TrainingConfig, pixels: Vec<f32>, device: &Device) -> Tensor<2> {
    let examples = config.prepare(Examples {
        inputs: pixels,
        labels: vec![0],
        shape: config.dataset.image_shape(),
        n_classes: config.dataset.n_classes(),
    });
    let shape = [1, examples.n_inputs()];
    Tensor::from_data(TensorData::new(examples.inputs, shape), device)
}

/// The pixels of an image in [0, 1]: channel by channel, gray if there is one.
fn read(path: &Path, shape: [usize; 3], invert: bool) -> Result<Vec<f32>> {
    let image = image::ImageReader::open(path)
        .with_context(|| format!("cannot open `{}`", path.display()))?
        .with_guessed_format()
        .with_context(|| format!("cannot read `{}`", path.display()))?
        .decode()
        .with_context(|| format!("`{}` is not a PNG image that can be read", path.display()))?;
    let [channels, height, width] = shape;
    let (columns, rows) = (width as u32, height as u32);
    let pixels = if channels == 1 {
        imageops::resize(&image.to_luma32f(), columns, rows, FilterType::Triangle).into_raw()
    } else {
        imageops::resize(&image.to_rgb32f(), columns, rows, FilterType::Triangle).into_raw()
    };
    let channel = |channel| pixels.iter().skip(channel).step_by(channels);
    let values = (0..channels).flat_map(channel);
    let values = values.map(|&value| if invert { 1.0 - value } else { value });
    Ok(values.collect())
}
