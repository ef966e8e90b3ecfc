//! What a trained network takes a class to look like: its output clamped, its input relaxed.

use std::io::Cursor;

use anyhow::{Context, Result, bail};
use burn::tensor::{Tensor, TensorData};
use eqprop_core::activation::Activation;
use eqprop_core::cost::{AnyCost, SquaredError};
use eqprop_core::energy::{
    AnyField, HopfieldEnergy, LayerConfig, PartlyClamped, TotalEnergy, VectorField,
};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_train::data::DataSource;
use eqprop_train::file::write_atomically;
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::json;

use crate::output::{Report, check_finite, class_text, text_of};
use crate::run::{RunFolder, TrainedRun};

/// The picture, in the run folder.
const PICTURE: &str = "classes.png";
/// Steps, and the residual at which they end: the input of a network that was never trained to
/// make one is slow to come to rest.
const MOST_STEPS: usize = 1000;
const TOLERANCE: f64 = 1e-4;
/// Images in a row of the picture.
const COLUMNS: usize = 10;
/// Pixels along the longer side of a shown image, at least about.
const SIDE: usize = 80;
/// Pixels between two images.
const GAP: usize = 4;
const GROUND: Rgb<u8> = Rgb([64, 64, 80]);

/// Clamps the output at `classes` and draws the inputs that the network relaxes to.
///
/// # Errors
/// If the run or the device cannot be used, there is no such class, the network has no energy of its input,
/// or the picture cannot be written.
pub fn run(folder: &RunFolder, run: &TrainedRun, classes: &[String]) -> Result<Report> {
    let source = &run.config.data.dataset;
    let classes = numbers(classes, source)?;
    let shape = shape(run);
    let n_inputs = shape.iter().product();
    let energy = with_free_input(run, n_inputs)?;

    // No pixel is known, and all of the output.
    let (n, n_classes) = (classes.len(), source.n_classes());
    let mut known = Vec::with_capacity(n * (n_inputs + n_classes));
    for &class in &classes {
        known.extend(std::iter::repeat_n(f32::NAN, n_inputs));
        known.extend((0..n_classes).map(|unit| f32::from(u8::from(unit == class))));
    }
    let known = TensorData::new(known, [n, n_inputs + n_classes]);
    let known = Tensor::<2>::from_data(known, &run.device.device);
    let clamped = energy.clamp(&known);
    let total = TotalEnergy::<_, SquaredError>::free(&energy, &clamped);
    let relaxation = Relaxation::steps(Scheme::Asynchronous, MOST_STEPS).with_tolerance(TOLERANCE);
    let relaxed = relaxation.relax(&total, energy.start(&known, &clamped));

    let read = |values: Tensor<1>| values.into_data().iter::<f64>().collect::<Vec<_>>();
    let energies = read(total.value(&relaxed.state));
    let residuals = read(relaxed.residual.clone());
    check_finite(
        "energy or a residual",
        energies.iter().chain(&residuals).copied(),
    )?;
    // Judged as any image.
    let images = relaxed.state.layer(0);
    let judged = run.learner.infer(images);
    let network = &run.learner.network;
    let scores = network.scores(&network.energy.clamp(images), &judged.state);
    let found: Vec<i64> = scores.argmax(1).into_data().iter::<i64>().collect();

    let values: Vec<f32> = images.clone().into_data().iter::<f32>().collect();
    let path = folder.path().join(PICTURE);
    write_atomically(&path, &png(&values, shape)?)
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    let mut text = String::new();
    let mut report = Vec::new();
    let rows = classes.iter().zip(energies).zip(residuals).zip(found);
    for (((&class, energy), residual), found) in rows {
        text += &format!(
            "{}: energy {energy:.3}, residual {residual:.1e}; the image is classified as {}\n",
            class_text(source, class),
            class_text(source, found as usize)
        );
        report.push(json!({
            "class": class,
            "name": source.class_name(class),
            "energy": energy,
            "residual": residual,
            "classified_as": found,
        }));
    }
    text += &format!(
        "wrote {}: what the network relaxes to with each of these classes clamped\n",
        path.display()
    );
    let report = json!({
        "classes": report,
        "picture": text_of(&path),
        "n_steps": relaxed.n_steps,
    });
    Ok(Report::new(text, &report))
}

/// The numbers of classes that are named by name or number, or all.
fn numbers(named: &[String], source: &DataSource) -> Result<Vec<usize>> {
    let all = 0..source.n_classes();
    if let [word] = named
        && word == "all"
    {
        return Ok(all.collect());
    }
    let number = |name: &String| {
        let is_named = |&class: &usize| source.class_name(class) == Some(name.as_str());
        let class = all.clone().find(is_named);
        let class = class.or_else(|| name.parse().ok().filter(|class| all.contains(class)));
        class.with_context(|| {
            format!(
                "there is no class `{name}` to clamp: name one by its name or by a number below {}, or `all`",
                all.end
            )
        })
    };
    named.iter().map(number).collect()
}

/// Channels, height and width of an input.
fn shape(run: &TrainedRun) -> [usize; 3] {
    let [channels, height, width] = run.config.data.dataset.image_shape();
    let frame = 2 * run.config.data.padding;
    [channels, height + frame, width + frame]
}

/// The trained network as an energy of input, hidden layers and output, of which input and output are visible.
fn with_free_input(run: &TrainedRun, n_inputs: usize) -> Result<PartlyClamped<HopfieldEnergy>> {
    let network = &run.learner.network;
    let field = match &network.energy {
        AnyField::Hopfield(energy) => energy.clone(),
        AnyField::Untied(_) => bail!(
            "the input of this network cannot relax: its model is \"untied\", and without an energy nothing \
             leads back to the input; train with the model \"hopfield\""
        ),
        AnyField::PredictiveCoding(_) => bail!(
            "the input of this network cannot relax: its model is \"predictive_coding\", where any input is an \
             equilibrium of its own prediction; train with the model \"hopfield\""
        ),
        _ => bail!(
            "the input of this network cannot relax: it is a voltage source of a circuit, the model \
             \"resistive\"; train with the model \"hopfield\""
        ),
    };
    if !matches!(network.cost, AnyCost::SquaredError(_)) {
        bail!(
            "the classes of this network cannot be clamped: with the cost \"cross_entropy\" they are read out \
             and are no units of it; train with the cost \"squared_error\""
        );
    }
    if run.config.data.normalize {
        bail!(
            "the input of this network cannot relax: its images are normalized, and no unit has their range; \
             train with data.normalize=false"
        );
    }
    let input = run.config.energy().input;
    debug_assert_eq!(input.n_units(), n_inputs);
    let free = field.with_free_input(LayerConfig::new(input, Activation::HardSigmoid));
    let output = free.layers().len() - 1;
    Ok(PartlyClamped::new(free, [0, output]))
}

/// Images side by side as a PNG image, from 0 in black to 1 in white.
fn png(images: &[f32], [channels, height, width]: [usize; 3]) -> Result<Vec<u8>> {
    let n_inputs = channels * height * width;
    let n = images.len() / n_inputs;
    let zoom = SIDE.div_ceil(height.max(width));
    let along = |n: usize, length: usize| GAP + n * (length * zoom + GAP);
    let columns = COLUMNS.min(n);
    let size = [along(columns, width), along(n.div_ceil(columns), height)].map(|side| side as u32);
    let mut picture = RgbImage::from_pixel(size[0], size[1], GROUND);
    for (index, image) in images.chunks_exact(n_inputs).enumerate() {
        let left = along(index % columns, width);
        let top = along(index / columns, height);
        for y in 0..height * zoom {
            for x in 0..width * zoom {
                let byte = |channel: usize| {
                    let place = (channel * height + y / zoom) * width + x / zoom;
                    (255.0 * image[place]).round().clamp(0.0, 255.0) as u8
                };
                let color = match channels {
                    3 => [0, 1, 2].map(byte),
                    // Of channels that are no colors the first.
                    _ => [byte(0); 3],
                };
                picture.put_pixel((left + x) as u32, (top + y) as u32, Rgb(color));
            }
        }
    }
    let mut bytes = Vec::new();
    picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)?;
    Ok(bytes)
}
