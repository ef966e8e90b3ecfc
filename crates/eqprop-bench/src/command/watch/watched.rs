//! The network that is watched.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use burn::tensor::{Tensor, TensorData};
use eqprop_bench::picture;
use eqprop_core::activation::Activation;
use eqprop_core::cost::CostConfig;
use eqprop_core::energy::VectorField;
use eqprop_core::nudging::Nudging;
use eqprop_train::data::Examples;
use serde_json::{Value, json};

use crate::cli::WatchArguments;
use crate::figure::{classes_in_turn, tensor};
use crate::output::say;
use crate::run::{RunFolder, TrainedRun};

/// The most units of a layer that are shown: the page has no room for more.
pub const MOST_UNITS: usize = 4096;
/// The most pictures in one answer.
const N_PICTURES: usize = 24;
/// The most numbers in them: there are fewer large pictures.
const MOST_NUMBERS: usize = 500_000;

/// A run whose network is shown, as last written by its training.
#[derive(Debug)]
pub struct Watched {
    pub folder: RunFolder,
    device: Option<String>,
    pub run: TrainedRun,
    /// The test examples, if the data are available.
    pub test: Option<Examples>,
    /// When the model was written.
    written: Option<SystemTime>,
    /// The first test examples that it misclassifies.
    pub mistakes: Option<Value>,
}

impl Watched {
    /// Reads the run, and its data if they are available.
    ///
    /// # Errors
    /// If the run or the device cannot be used, or the network does not classify.
    pub fn open(arguments: &WatchArguments) -> Result<Self> {
        let folder = RunFolder::open(&arguments.run)?;
        let device = arguments.device.device.clone();
        let run = folder.trained(device.as_deref())?;
        let source = &run.config.data.dataset;
        if source.quantities().is_some() || source.labels().is_some() {
            bail!(
                "`{}` predicts quantities or several labels: the page shows networks that tell classes apart; \
                 `eqprop relax` draws how it relaxes",
                arguments.run.display()
            );
        }
        let test = match run.load_data(arguments.data.data_dir.as_deref()) {
            Ok(dataset) => Some(classes_in_turn(dataset.test)),
            Err(error) if source.has_pixels() => {
                say(format_args!(
                    "note: {error:#}; without its data, only drawings are shown"
                ));
                None
            }
            Err(error) => return Err(error),
        };
        let mut watched = Self {
            written: None,
            mistakes: None,
            folder,
            device,
            run,
            test,
        };
        watched.written = watched.when_written();
        Ok(watched)
    }

    fn model(&self) -> PathBuf {
        self.folder.path().join("model.bpk")
    }

    fn when_written(&self) -> Option<SystemTime> {
        fs::metadata(self.model()).ok()?.modified().ok()
    }

    /// Loads the model if a training has written a newer one. A model that cannot be read is left for the
    /// next time.
    pub fn refresh(&mut self) {
        let written = self.when_written();
        if written != self.written
            && let Ok(run) = self.folder.trained(self.device.as_deref())
        {
            (self.run, self.written, self.mistakes) = (run, written, None);
        }
    }

    /// Returns the number of input-sized pictures in one answer.
    pub fn n_pictures(&self) -> usize {
        let n_inputs: usize = self.shape().iter().product();
        N_PICTURES.min(MOST_NUMBERS / n_inputs.max(1)).max(1)
    }

    /// Returns the time at which the model was written, in milliseconds: a different number for each model
    /// that a training writes.
    pub fn version(&self) -> Option<u64> {
        let since = self.written?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        u64::try_from(since.as_millis()).ok()
    }

    /// Returns channels, height and width of an input.
    pub fn shape(&self) -> [usize; 3] {
        let [channels, height, width] = self.run.config.data.dataset.image_shape();
        let frame = 2 * self.run.config.data.padding;
        [channels, height + frame, width + frame]
    }

    /// Describes the layers, classes and settings.
    pub fn describe(&self) -> Value {
        let (config, network) = (&self.run.config, &self.run.learner.network);
        let source = &config.data.dataset;
        let layers = network.energy.layers().iter().map(|layer| {
            json!({
                "shape": layer.shape.maps(),
                "units": layer.n_units(),
                "is_of_phases": layer.activation == Activation::Phase,
                "shown": layer.n_units().min(MOST_UNITS),
            })
        });
        let classes = 0..source.n_classes();
        let classes = classes.map(|class| {
            let name = source.class_name(class).map(String::from);
            name.unwrap_or_else(|| class.to_string())
        });
        let beta = config.phases.nudging.beta();
        json!({
            "run": self.folder.path().to_string_lossy(),
            "network": config.notation(),
            "model": config.network.model,
            "data": source.to_string(),
            "input": self.shape(),
            "is_drawn": source.has_pixels(),
            "is_bright": source.is_bright(),
            "layers": layers.collect::<Vec<_>>(),
            "has_readout": config.network.cost == CostConfig::CrossEntropy,
            "classes": classes.collect::<Vec<_>>(),
            "beta": beta,
            "is_centered": matches!(config.phases.nudging, Nudging::Centered { .. }),
            "free_steps": config.phases.free_steps,
            "nudged_steps": config.phases.nudged_steps,
            "n_shown": self.n_pictures(),
            "n_examples": self.test.as_ref().map_or(0, Examples::len),
        })
    }

    /// Returns some test examples.
    ///
    /// # Errors
    /// If they are in files and cannot be read.
    pub fn examples(&self, from: usize) -> Result<Value> {
        let Some(test) = &self.test else {
            return Ok(json!([]));
        };
        let indices: Vec<usize> = (from..test.len()).take(self.n_pictures()).collect();
        let some = test.in_order(&indices).in_memory()?;
        let examples = indices.iter().enumerate().map(|(i, index)| {
            json!({ "index": index, "class": some.labels[i], "pixels": some.input(i) })
        });
        Ok(examples.collect())
    }

    /// Converts a drawing to an input, as `eqprop predict` does with the same image.
    ///
    /// # Errors
    /// If it is not an image, or the network was not trained on images.
    pub fn drawing(&self, png: &[u8]) -> Result<Value> {
        let source = &self.run.config.data.dataset;
        if !source.has_pixels() {
            bail!("the network was not trained on images: choose an example");
        }
        let pixels = picture::pixels(png, source.image_shape(), false);
        let pixels = pixels.context("this is not a drawing")?.values;
        let examples = self.run.config.data.prepare(Examples {
            inputs: pixels,
            labels: vec![0],
            shape: source.image_shape(),
            n_classes: source.n_classes(),
            targets: None,
            stream: None,
        });
        Ok(json!({ "pixels": examples.inputs }))
    }

    /// Converts an input sent by the page.
    ///
    /// # Errors
    /// If it does not fit the network.
    pub fn input(&self, pixels: &[f32]) -> Result<Tensor<2>> {
        let n_inputs: usize = self.shape().iter().product();
        let found = pixels.len();
        if found != n_inputs {
            bail!("an input has {n_inputs} numbers, but there are {found}");
        }
        if !pixels.iter().all(|value| value.is_finite()) {
            bail!("an input has numbers that are finite");
        }
        let data = TensorData::new(pixels.to_vec(), [1, n_inputs]);
        Ok(Tensor::from_data(data, &self.run.device.device))
    }

    /// Returns the first test examples, and the same as inputs.
    ///
    /// # Errors
    /// If they are in files and cannot be read.
    pub fn first(&self, n: usize) -> Result<Option<(Examples, Tensor<2>)>> {
        let Some(test) = &self.test else {
            return Ok(None);
        };
        let examples = test.clone().take(n).in_memory()?;
        let input = tensor(&examples, &self.run.device.device);
        Ok(Some((examples, input)))
    }
}
