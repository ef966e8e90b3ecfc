//! `eqprop predict`.

mod clamp;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use burn::tensor::{Device, Tensor};
use eqprop_bench::picture::{self, Doubt};
use eqprop_core::energy::VectorField;
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::{DataError, Examples, FilesError};
use serde_json::{Map, Value, json};

use crate::cli::PredictArguments;
use crate::figure::tensor;
use crate::output::{
    Report, check_finite, class_text, label_names, named_quantities, predicted_labels,
    predicted_quantities, text_of,
};
use crate::run::RunFolder;
use clamp::Image;

/// Size of the largest file that is read, in bytes: no image of [`picture::MOST_PIXELS`] needs more.
const MOST_BYTES: u64 = 1 << 28;

/// Classifies images, finds their labels or predicts quantities; or clamps something else and relaxes the
/// rest.
///
/// # Errors
/// If the run, an image or the device cannot be used; no image is classified then.
pub fn run(arguments: PredictArguments) -> Result<Report> {
    let folder = RunFolder::open(&arguments.run)?;
    let run = folder.trained(arguments.device.device.as_deref())?;
    if arguments.images.is_empty() {
        return clamp::classes(&folder, &run, &arguments.clamp, arguments.clamp_strength);
    }
    if arguments.clamp_strength.is_some() {
        bail!(
            "--clamp-strength is of a class that is clamped: leave the images out, or --clamp-strength"
        );
    }
    let source = &run.config.data.dataset;
    let (shape, n_inputs) = (source.image_shape(), source.n_inputs());
    let mut inputs = Vec::with_capacity(arguments.images.len());
    for path in &arguments.images {
        if let Some(files) = source.files().filter(|_| !is_image(path)) {
            if arguments.invert {
                bail!("--invert is for images, but `{}` is none", path.display());
            }
            let examples = files.read_inputs(path);
            let mut inside = path.read_dir().into_iter().flatten().flatten();
            let is_unknown = matches!(
                examples,
                Err(DataError::Files(
                    FilesError::NothingKnown { .. }
                        | FilesError::NoClassFolders { .. }
                        | FilesError::NoInputs { .. }
                ))
            );
            if is_unknown && inside.any(|entry| is_image(&entry.path())) {
                let path = path.display();
                bail!(
                    "`{path}` is a folder of images: name the images in it, such as {path}/*.png"
                );
            }
            let examples = examples?;
            for (index, example) in examples.chunks_exact(n_inputs).enumerate() {
                let input = input(&run.config, example.to_vec(), &run.device.device);
                inputs.push((path, Some(index), input, None));
            }
            continue;
        }
        if !source.has_pixels() {
            let [channels, height, width] = shape;
            bail!(
                "`{}` cannot be classified: the network was trained on {channels}x{height}x{width} numbers, \
                 and not on images; name a table or an array",
                path.display()
            );
        }
        let read = read(path).and_then(|bytes| {
            let pixels = picture::pixels(&bytes, shape, arguments.invert);
            pixels.with_context(|| format!("`{}` cannot be classified", path.display()))
        });
        let pixels = read?;
        // The user's own images may themselves be dark on bright.
        let is_usual = |doubt: &Doubt| *doubt == Doubt::DarkOnBright && source.is_bright();
        let doubt = pixels.doubt.filter(|doubt| !is_usual(doubt));
        let warning = doubt.map(|doubt| warning(doubt, arguments.invert));
        let input = input(&run.config, pixels.values, &run.device.device);
        inputs.push((path, None, input, warning));
    }

    if !arguments.clamp.is_empty() {
        let images = inputs.iter().map(|(path, index, input, _)| Image {
            path,
            index: *index,
            pixels: input.clone().into_data().iter::<f32>().collect(),
        });
        let images: Vec<_> = images.collect();
        return clamp::halves(&folder, &run, &arguments.clamp, &images);
    }
    let network = &run.learner.network;
    let mut text = String::new();
    let mut report = Vec::new();
    for (path, index, input, warning) in inputs {
        if let Some(warning) = warning {
            // The classification stands, whether or not the warning is read.
            let _ = writeln!(io::stderr(), "warning: `{}` {warning}", path.display());
        }
        let relaxed = run.learner.infer(&input);
        let info = relaxed.info();
        let scores = network.scores(&network.energy.clamp(&input), &relaxed.state);
        let scores: Vec<f64> = scores.into_data().iter::<f64>().collect();
        check_finite(
            "residual or a score",
            scores.iter().copied().chain([info.residual]),
        )?;
        let mut place = path.display().to_string();
        if let Some(index) = index {
            place += &format!(", example {}", index + 1);
        }
        if let [values] = &predicted_quantities(source, relaxed.state.output())[..] {
            let (said, steps) = (named_quantities(source, values), info.n_steps);
            let names = source.quantities().map_or(&[][..], |found| &found.names);
            text += &format!(
                "{place}: {said}; {steps} steps, residual {:.2e}\n",
                info.residual
            );
            report.push(json!({
                "image": text_of(path),
                "example": index.map(|index| index + 1),
                "quantities": by_name(names, values),
                "n_steps": steps,
                "residual": info.residual,
                "warning": warning,
            }));
            continue;
        }
        if let [found] = &predicted_labels(source, relaxed.state.output())[..] {
            let outputs = relaxed.state.output().clone().into_data();
            let outputs: Vec<f64> = outputs.iter::<f64>().collect();
            let (names, steps) = (label_names(source, found), info.n_steps);
            let said = names.iter().zip(found);
            let said: Vec<String> = said
                .map(|(name, &label)| format!("{name} ({:.2})", outputs[label]))
                .collect();
            let said = match said.is_empty() {
                true => format!("none of {} labels", outputs.len()),
                false => said.join(", "),
            };
            text += &format!(
                "{place}: {said}; {steps} steps, residual {:.2e}\n",
                info.residual
            );
            report.push(json!({
                "image": text_of(path),
                "example": index.map(|index| index + 1),
                "labels": names,
                "outputs": by_name(source.labels().unwrap_or_default(), &outputs),
                "n_steps": steps,
                "residual": info.residual,
                "warning": warning,
            }));
            continue;
        }
        let mut ranking: Vec<usize> = (0..scores.len()).collect();
        ranking.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let class = *ranking.first().context("the network has no classes")?;
        let second = ranking.get(1).copied();
        let margin = second.map(|second| scores[class] - scores[second]);
        text += &format!("{place}: {}", class_text(source, class));
        if let (Some(margin), Some(second)) = (margin, second) {
            text += &format!(", margin {margin:.3} over {}", class_text(source, second));
        }
        text += &format!("; {} steps, residual {:.2e}\n", info.n_steps, info.residual);
        report.push(json!({
            "image": text_of(path),
            "example": index.map(|index| index + 1),
            "class": class,
            "name": source.class_name(class),
            "margin": margin,
            "scores": scores,
            "n_steps": info.n_steps,
            "residual": info.residual,
            "warning": warning,
        }));
    }
    Ok(Report::new(text, &json!({ "predictions": report })))
}

/// Maps names to numbers.
fn by_name(names: &[String], values: &[f64]) -> Map<String, Value> {
    let named = names.iter().zip(values);
    named
        .map(|(name, &value)| (name.clone(), value.into()))
        .collect()
}

/// Whether the file name is that of an image.
fn is_image(path: &Path) -> bool {
    let end = path.extension().unwrap_or_default().to_string_lossy();
    ["png", "jpg", "jpeg"].contains(&end.to_lowercase().as_str())
}

/// Converts an image to an input, `[1, n_inputs]`.
fn input(config: &TrainingConfig, pixels: Vec<f32>, device: &Device) -> Tensor<2> {
    let examples = config.data.prepare(Examples {
        inputs: pixels,
        labels: vec![0],
        shape: config.data.dataset.image_shape(),
        n_classes: config.data.dataset.n_classes(),
        targets: None,
        stream: None,
    });
    tensor(&examples, device)
}

/// Returns the warning about an image that may differ from the training images.
fn warning(doubt: Doubt, is_inverted: bool) -> &'static str {
    match (doubt, is_inverted) {
        (Doubt::Empty, _) => {
            "is empty: all its pixels have one value, with --invert and without; its class means nothing"
        }
        (Doubt::DarkOnBright, false) => {
            "looks dark on bright, but the network was trained on bright on dark: try --invert"
        }
        (Doubt::DarkOnBright, true) => {
            "looks dark on bright after --invert, but the network was trained on bright on dark: leave \
             out --invert"
        }
    }
}

/// Reads the bytes of an image file.
fn read(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path).with_context(|| format!("cannot open `{}`", path.display()))?;
    let mut bytes = Vec::new();
    let read = file.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    read.with_context(|| format!("cannot read `{}`", path.display()))?;
    if bytes.len() as u64 > MOST_BYTES {
        bail!(
            "`{}` is larger than {MOST_BYTES} bytes, and so larger than any image that is read",
            path.display()
        );
    }
    Ok(bytes)
}
