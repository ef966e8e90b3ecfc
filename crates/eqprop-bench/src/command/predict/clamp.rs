//! Predicts in other directions: clamps classes and relaxes their images, or clamps half of an image and
//! relaxes the rest.

mod free_input;
mod picture;

use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, bail};
use burn::tensor::{Tensor, TensorData};
use eqprop_core::cost::SquaredError;
use eqprop_core::energy::{HopfieldEnergy, PartlyClamped, TotalEnergy, VectorField};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_train::data::DataSource;
use eqprop_train::file::write_atomically;
use serde_json::json;

use crate::output::{Report, check_finite, class_text, text_of};
use crate::run::{RunFolder, TrainedRun};
use free_input::with_free_input;

/// The most steps, and the residual at which the relaxation ends: the input of a network that was never
/// trained to generate inputs is slow to settle.
const MOST_STEPS: usize = 1000;
const TOLERANCE: f64 = 1e-4;

/// The default value at which the unit of a clamped class is held: its target in training.
const STRENGTH: f64 = 1.0;

/// An image to be clamped: its path, its index in a file with several images, and its pixels.
pub struct Image<'a> {
    pub path: &'a Path,
    pub index: Option<usize>,
    pub pixels: Vec<f32>,
}

/// Clamps the output at classes and draws the inputs to which the network relaxes. The unit of a class is
/// held at `strength` and the others at 0: the class pulls at an image by `strength` times the weights of its
/// unit.
///
/// # Errors
/// If there is no such class, the network has no energy of its input, the strength is not a number greater
/// than 0, or the picture cannot be written.
pub fn classes(
    folder: &RunFolder,
    run: &TrainedRun,
    named: &[String],
    strength: Option<f64>,
) -> Result<Report> {
    let strength = strength.unwrap_or(STRENGTH);
    if !((strength as f32).is_finite() && strength > 0.0) {
        bail!("--clamp-strength must be a number greater than 0, but is {strength}");
    }
    let source = &run.config.data.dataset;
    let field = with_free_input(run)?;
    let classes = numbers(named, source)?;
    let n_classes = source.n_classes();
    let rows = classes.iter().map(|&class| {
        let mut label = vec![0.0; n_classes];
        label[class] = strength as f32;
        (vec![f32::NAN; n_inputs(run)], label)
    });
    let relaxed = relax(run, &field, rows.collect())?;
    let path = folder.path().join("classes.png");
    write(&path, &picture::png(&relaxed.images, shape(run), 10)?)?;
    let mut text = String::new();
    let mut report = Vec::new();
    for (row, &class) in classes.iter().enumerate() {
        let Measured {
            energy,
            residual,
            class: found,
        } = relaxed.measured[row];
        text += &format!(
            "{}: energy {energy:.3}, residual {residual:.1e}; the image is classified as {}\n",
            class_text(source, class),
            class_text(source, found)
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
        "clamp_strength": strength,
        "picture": text_of(&path),
        "n_steps": relaxed.n_steps,
    });
    Ok(Report::new(text, &report))
}

/// Clamps half of each image, and draws the images, the clamped halves, and the images completed by the
/// network.
///
/// # Errors
/// If there is no such half, the network has no energy of its input, or the picture cannot be written.
pub fn halves(
    folder: &RunFolder,
    run: &TrainedRun,
    named: &[String],
    images: &[Image<'_>],
) -> Result<Report> {
    let source = &run.config.data.dataset;
    let [half] = named else {
        bail!("an image is clamped in one half: --clamp top, bottom, left or right");
    };
    let (shape, field) = (shape(run), with_free_input(run)?);
    let is_seen = seen(half, shape)?;
    let cover = |pixels: &[f32]| -> Vec<f32> {
        let pairs = pixels.iter().zip(&is_seen);
        pairs
            .map(|(&value, &seen)| if seen { value } else { f32::NAN })
            .collect()
    };
    let rows = images
        .iter()
        .map(|image| (cover(&image.pixels), vec![f32::NAN; source.n_classes()]));
    let relaxed = relax(run, &field, rows.collect())?;
    let path = folder.path().join("completed.png");
    let whole = images.iter().map(|image| image.pixels.clone());
    let seen = images.iter().map(|image| cover(&image.pixels));
    let rows: Vec<_> = whole
        .chain(seen)
        .chain(relaxed.images.iter().cloned())
        .collect();
    write(&path, &picture::png(&rows, shape, images.len())?)?;
    let mut text = String::new();
    let mut report = Vec::new();
    for ((image, completed), measured) in images.iter().zip(&relaxed.images).zip(&relaxed.measured)
    {
        let Measured {
            energy,
            residual,
            class,
        } = *measured;
        let pairs = image.pixels.iter().zip(completed).zip(&is_seen);
        let covered = pairs.filter(|(_, seen)| !**seen);
        let squares = covered
            .map(|((a, b), _)| f64::from(a - b).powi(2))
            .collect::<Vec<_>>();
        let error = squares.iter().sum::<f64>() / squares.len() as f64;
        text += &image.path.display().to_string();
        if let Some(index) = image.index {
            text += &format!(", example {}", index + 1);
        }
        text += &format!(
            ": from its {half} {}, mean squared error {error:.4} of the rest; energy {energy:.3}, residual \
             {residual:.1e}\n",
            class_text(source, class)
        );
        report.push(json!({
            "image": text_of(image.path),
            "example": image.index.map(|index| index + 1),
            "class": class,
            "name": source.class_name(class),
            "squared_error": error,
            "energy": energy,
            "residual": residual,
        }));
    }
    text += &format!(
        "wrote {}: the images, what is seen of them, and what the network relaxes to\n",
        path.display()
    );
    let report = json!({
        "completed": report,
        "picture": text_of(&path),
        "n_steps": relaxed.n_steps,
    });
    Ok(Report::new(text, &report))
}

/// The equilibria of a relaxation.
struct Relaxed {
    images: Vec<Vec<f32>>,
    measured: Vec<Measured>,
    n_steps: usize,
}

/// The energy and the residual of an equilibrium, and the class of its image.
#[derive(Clone, Copy)]
struct Measured {
    energy: f64,
    residual: f64,
    class: usize,
}

/// Relaxes input, hidden layers and output, with the known values of input and output clamped; NaN marks
/// unknown values.
fn relax(
    run: &TrainedRun,
    energy: &PartlyClamped<HopfieldEnergy>,
    known: Vec<(Vec<f32>, Vec<f32>)>,
) -> Result<Relaxed> {
    let (n, n_inputs) = (known.len(), n_inputs(run));
    let n_columns = n_inputs + run.config.data.dataset.n_classes();
    let known: Vec<f32> = known
        .into_iter()
        .flat_map(|(image, label)| [image, label])
        .flatten()
        .collect();
    let known = TensorData::new(known, [n, n_columns]);
    let known = Tensor::<2>::from_data(known, &run.device.device);
    let clamped = energy.clamp(&known);
    let total = TotalEnergy::<_, SquaredError>::free(energy, &clamped);
    let relaxation = Relaxation::steps(Scheme::Asynchronous, MOST_STEPS).with_tolerance(TOLERANCE);
    let relaxed = relaxation.relax(&total, energy.start(&known, &clamped));

    let read = |values: Tensor<1>| values.into_data().iter::<f64>().collect::<Vec<_>>();
    let energies = read(total.value(&relaxed.state));
    let residuals = read(relaxed.residual.clone());
    let numbers = energies.iter().chain(&residuals).copied();
    check_finite("energy or a residual", numbers)?;
    // Classified like any other image.
    let images = relaxed.state.layer(0);
    let judged = run.learner.infer(images);
    let network = &run.learner.network;
    let scores = network.scores(&network.energy.clamp(images), &judged.state);
    let found = scores.argmax(1).into_data();
    let measured = energies.into_iter().zip(residuals).zip(found.iter::<i64>());
    let measured = measured.map(|((energy, residual), class)| Measured {
        energy,
        residual,
        class: class as usize,
    });
    let values: Vec<f32> = images.clone().into_data().iter::<f32>().collect();
    Ok(Relaxed {
        images: values.chunks_exact(n_inputs).map(<[f32]>::to_vec).collect(),
        measured: measured.collect(),
        n_steps: relaxed.n_steps,
    })
}

/// Returns the numbers of classes given by name or number, or of all classes.
fn numbers(named: &[String], source: &DataSource) -> Result<Vec<usize>> {
    let all = 0..source.n_classes();
    if named.len() == 1 && named[0] == "all" {
        return Ok(all.collect());
    }
    let number = |name: &String| {
        let is_named = |&class: &usize| source.class_name(class) == Some(name.as_str());
        let class = all.clone().find(is_named);
        let class = class.or_else(|| name.parse().ok().filter(|class| all.contains(class)));
        class.with_context(|| {
            format!(
                "there is no class `{name}` to clamp: name one by its name or by a number below {}, or `all`; \
                 `top`, `bottom`, `left` and `right` are halves of images, which need an image",
                all.end
            )
        })
    };
    named.iter().map(number).collect()
}

/// Marks the pixels of one half.
fn seen(half: &str, [channels, height, width]: [usize; 3]) -> Result<Vec<bool>> {
    let (rows, columns): (Range<usize>, Range<usize>) = match half {
        "top" => (0..height / 2, 0..width),
        "bottom" => (height / 2..height, 0..width),
        "left" => (0..height, 0..width / 2),
        "right" => (0..height, width / 2..width),
        _ => bail!(
            "`{half}` is no half of an image: --clamp top, bottom, left or right, or a class without any image"
        ),
    };
    let places = (0..channels * height * width).map(|i| (i / width % height, i % width));
    Ok(places
        .map(|(row, column)| rows.contains(&row) && columns.contains(&column))
        .collect())
}

/// Returns channels, height and width of an input.
fn shape(run: &TrainedRun) -> [usize; 3] {
    let [channels, height, width] = run.config.data.dataset.image_shape();
    let frame = 2 * run.config.data.padding;
    [channels, height + frame, width + frame]
}

fn n_inputs(run: &TrainedRun) -> usize {
    shape(run).iter().product()
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically(path, bytes).with_context(|| format!("cannot write `{}`", path.display()))
}
