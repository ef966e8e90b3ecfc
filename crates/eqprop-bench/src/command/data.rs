//! `eqprop data`.

mod sheet;

use std::iter::once;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use eqprop_train::data::{DataFiles, DataSource, Dataset, Examples, Reading};
use eqprop_train::file::write_atomically;
use serde::Serialize;

use crate::cli::{DataArguments, usual_preset};
use crate::output::{Report, quantity};

/// The most classes or labels that the text lists.
const MOST_LISTED: usize = 30;

/// The output of `data --json`.
#[derive(Debug, Serialize)]
struct Document {
    source: String,
    format: String,
    /// Channels, height and width.
    shape: [usize; 3],
    n_inputs: usize,
    n_classes: usize,
    n_train: usize,
    n_test: usize,
    classes: Vec<ClassCount>,
    /// The quantities learned in place of classes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    quantities: Vec<QuantityRange>,
    /// The labels, of which an example has none, one or several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<LabelCount>,
    /// Number of training examples by their number of labels, from 0 on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    with_labels: Vec<usize>,
    scaling: Option<String>,
    /// The mean of each channel over the training part, after scaling.
    mean: Vec<f32>,
    deviation: Vec<f32>,
    /// The range of the inputs of the training part.
    range: [f32; 2],
    fingerprint: String,
    notes: Vec<String>,
    /// The preset that is used by default, and its network.
    preset: &'static str,
    network: String,
    #[serde(serialize_with = "crate::output::path")]
    sheet: PathBuf,
}

/// The values of a quantity in the training part, in its own unit.
#[derive(Debug, Serialize)]
struct QuantityRange {
    name: String,
    mean: f64,
    deviation: f64,
    least: f64,
    largest: f64,
}

/// Number of examples with a label.
#[derive(Debug, Serialize)]
struct LabelCount {
    name: String,
    train: usize,
    test: usize,
}

/// Number of examples of a class.
#[derive(Debug, Serialize)]
struct ClassCount {
    label: usize,
    name: Option<String>,
    train: usize,
    test: usize,
}

/// Describes how data are understood, and draws examples.
///
/// # Errors
/// If the data cannot be used, or the picture cannot be written.
pub fn run(arguments: DataArguments) -> Result<Report> {
    let Reading { dataset, notes, .. } = read(&arguments)?;
    let source = &dataset.kind;
    let sheet = arguments.sheet.unwrap_or_else(|| {
        let name = source.short_name();
        let names = (2..).map(|n| format!("data-{name}-{n}.png"));
        let mut names = once(format!("data-{name}.png")).chain(names);
        // Nothing is overwritten that was not named.
        let free = names.find(|name| !Path::new(name).exists());
        PathBuf::from(free.expect("names do not end"))
    });
    let picture = sheet::png(&dataset)?;
    write_atomically(&sheet, &picture)
        .with_context(|| format!("cannot write `{}`", sheet.display()))?;
    let document = Document::new(&dataset, notes, sheet);
    Ok(Report::new(document.text(), &document))
}

fn read(arguments: &DataArguments) -> Result<Reading> {
    let data_dir = arguments.data.data_dir.as_deref();
    match &arguments.source {
        DataSource::Files(_) if data_dir.is_some() => {
            bail!("--data-dir is for data sets with a name: name the path itself")
        }
        DataSource::Files(files) => Ok(arguments.files.files(&files.path).read_as_new()?),
        source => {
            arguments.files.look(Some(source), DataFiles::look)?;
            Ok(Dataset::load(source, data_dir)?.into())
        }
    }
}

/// Returns the quantities of the training part; empty if there are none.
fn ranges(source: &DataSource, train: &Examples) -> Vec<QuantityRange> {
    let Some(quantities) = source.quantities() else {
        return Vec::new();
    };
    let rows: Vec<Vec<f64>> = (0..train.len()).map(|i| train.quantities(i)).collect();
    let range = |(quantity, name): (usize, &String)| {
        let values = rows.iter().map(|row| row[quantity]);
        QuantityRange {
            name: name.clone(),
            mean: quantities.mean[quantity],
            deviation: quantities.deviation[quantity],
            least: values.clone().fold(f64::INFINITY, f64::min),
            largest: values.fold(f64::NEG_INFINITY, f64::max),
        }
    };
    quantities.names.iter().enumerate().map(range).collect()
}

/// Returns the labels and how many examples have them; empty if there are none.
fn label_counts(dataset: &Dataset) -> Vec<LabelCount> {
    let names = dataset.kind.labels().unwrap_or_default();
    let counts = |examples: &Examples| {
        let mut counts = vec![0; names.len()];
        for label in (0..examples.len()).flat_map(|i| examples.label_set(i)) {
            counts[label] += 1;
        }
        counts
    };
    let counts = counts(&dataset.train)
        .into_iter()
        .zip(counts(&dataset.test));
    let named = names.iter().zip(counts);
    let count = |(name, (train, test)): (&String, _)| LabelCount {
        name: name.clone(),
        train,
        test,
    };
    named.map(count).collect()
}

/// Counts the examples by their number of labels.
fn with_labels(train: &Examples) -> Vec<usize> {
    let mut counts = Vec::new();
    for i in 0..train.len() {
        let n = train.label_set(i).len();
        counts.resize(counts.len().max(n + 1), 0);
        counts[n] += 1;
    }
    counts
}

impl Document {
    fn new(dataset: &Dataset, notes: Vec<String>, sheet: PathBuf) -> Self {
        let source = &dataset.kind;
        let found = source.files().and_then(|files| files.found.as_ref());
        let (mean, deviation) = dataset.train.channel_statistics();
        let inputs = dataset.train.inputs.iter().copied();
        let count = |examples: &Examples, label: usize| {
            let labels = examples.labels.iter();
            labels.filter(|&&found| usize::from(found) == label).count()
        };
        let class = |label| ClassCount {
            label,
            name: source.class_name(label).map(String::from),
            train: count(&dataset.train, label),
            test: count(&dataset.test, label),
        };
        let preset = usual_preset(source);
        Self {
            source: source.to_string(),
            format: found.map_or("built in".into(), |found| found.format.to_string()),
            shape: source.image_shape(),
            n_inputs: source.n_inputs(),
            n_classes: source.n_classes(),
            n_train: dataset.train.len(),
            n_test: dataset.test.len(),
            classes: (0..source.n_classes()).map(class).collect(),
            quantities: ranges(source, &dataset.train),
            labels: label_counts(dataset),
            with_labels: match source.labels() {
                None => Vec::new(),
                Some(_) => with_labels(&dataset.train),
            },
            scaling: found.map(|found| found.scaling.kind().to_string()),
            mean,
            deviation,
            range: [
                inputs.clone().fold(f32::INFINITY, f32::min),
                inputs.fold(f32::NEG_INFINITY, f32::max),
            ],
            fingerprint: dataset.fingerprint(),
            notes,
            preset: preset.name(),
            network: preset.config_for(source).notation(),
            sheet,
        }
    }

    fn text(&self) -> String {
        let examples = match self.shape {
            [1, 1, n] => format!("{n} numbers"),
            [1, height, width] => format!("images of {height}x{width} pixels in gray"),
            [3, height, width] => format!("images of {height}x{width} pixels in color"),
            [channels, height, width] => {
                format!("images of {height}x{width} pixels in {channels} channels")
            }
        };
        let mut text = format!(
            "{}: {}, {examples}, {}\n{} training examples, {} test examples\n",
            self.source,
            self.format,
            match (self.quantities.len(), self.labels.len()) {
                (0, 0) => format!("{} classes", self.n_classes),
                (0, 1) => "a label that examples have or not".to_string(),
                (0, n) => format!("{n} labels, of which an example has none, one or several"),
                (1, _) => "a quantity to learn".to_string(),
                (n, _) => format!("{n} quantities to learn"),
            },
            self.n_train,
            self.n_test
        );
        let [least, most] = self.range;
        match self.scaling.as_deref() {
            None | Some("none") => text += &format!("inputs from {least} to {most}\n"),
            Some(scaling) => {
                text += &format!("inputs from {least} to {most} after the scaling `{scaling}`\n");
            }
        }
        let n_with: Vec<String> = self.with_labels.iter().map(usize::to_string).collect();
        if !n_with.is_empty() {
            let (most, n_with) = (n_with.len() - 1, n_with.join(", "));
            text += &format!("training examples with 0 to {most} labels: {n_with}\n");
        }
        text += match (self.quantities.is_empty(), self.labels.is_empty()) {
            (true, true) => "\nclass                    training    test\n",
            (true, false) => "\nlabel                    training    test\n",
            _ => "\nquantity                       mean  deviation      least    largest\n",
        };
        for label in self.labels.iter().take(MOST_LISTED) {
            text += &format!("{:24} {:8} {:7}\n", label.name, label.train, label.test);
        }
        for found in &self.quantities {
            let numbers = [found.mean, found.deviation, found.least, found.largest];
            let [mean, deviation, least, largest] = numbers.map(quantity);
            let name = &found.name;
            text += &format!("{name:24} {mean:>10} {deviation:>10} {least:>10} {largest:>10}\n");
        }
        for class in self.classes.iter().take(MOST_LISTED) {
            let name = match &class.name {
                Some(name) if *name != class.label.to_string() => {
                    format!("{} ({name})", class.label)
                }
                _ => class.label.to_string(),
            };
            text += &format!("{name:24} {:8} {:7}\n", class.train, class.test);
        }
        let n_lines = self.classes.len().max(self.labels.len());
        if n_lines > MOST_LISTED {
            text += &format!("and {} more\n", n_lines - MOST_LISTED);
        }
        text += "\n";
        for note in &self.notes {
            text += &format!("note: {note}\n");
        }
        text + &format!(
            "preset without another choice: {} ({})\nwrote {}",
            self.preset,
            self.network,
            self.sheet.display()
        )
    }
}
