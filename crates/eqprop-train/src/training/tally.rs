//! Sums over the examples of an epoch.

use std::time::{Duration, Instant};

use burn::tensor::{Tensor, TensorData, Transaction};
use eqprop_core::captured::computes_in_place;

use crate::data::{Quantities, TargetKind};
use crate::learner::EquilibriumOutput;
use crate::measurement::{Evaluation, FitSums, LabelSums, Sums, UnfinishedEpoch};

/// Interval after which the measurements of batches are read back: not per batch, because reading
/// waits for the device.
const READ_EVERY: Duration = Duration::from_millis(200);
/// Largest number of batches that wait to be read back.
const READ_AT_MOST: usize = 256;

/// Sums over the examples seen so far; outputs wait on the device for some time.
#[derive(Clone)]
pub struct Tally {
    tolerance: f64,
    waiting: Vec<EquilibriumOutput>,
    /// Summaries on a GPU, where joining outputs would take a kernel for each number.
    summaries: Vec<Summary>,
    last_read: Option<Instant>,
    /// Sums at the last reading.
    pub sums: Sums,
    /// Whether each example was classified correctly, in the order in which they were added, if that is kept;
    /// for multiple labels an entry for each label of each example.
    correct: Option<Vec<bool>>,
    /// Kind of the targets, if they are not classes.
    kind: Option<TargetKind>,
    /// Sums of each quantity at the last reading.
    fits: Vec<FitSums>,
    /// Counts of multiple labels at the last reading.
    labels: Option<LabelSums>,
}

impl Tally {
    /// Continues from `sums`. A residual above `tolerance` counts as not converged.
    pub fn new(tolerance: f64, sums: Sums) -> Self {
        Self {
            tolerance,
            waiting: Vec::new(),
            summaries: Vec::new(),
            last_read: None,
            sums,
            correct: None,
            kind: None,
            fits: Vec::new(),
            labels: None,
        }
    }

    /// Evaluates predictions of `kind`, if not of classes, and continues from the sums in `done`.
    pub fn of_targets(self, kind: Option<&TargetKind>, done: &UnfinishedEpoch) -> Self {
        let quantities = kind.and_then(TargetKind::quantities);
        let mut fits = done.fits.clone();
        fits.resize(quantities.map_or(0, Quantities::len), FitSums::default());
        let labels = kind.and_then(TargetKind::labels).map(|names| {
            let begun = done.labels.clone();
            let begun = begun.filter(|sums| sums.counts.len() == names.len());
            begun.unwrap_or_else(|| LabelSums::new(names.len()))
        });
        Self {
            kind: kind.cloned(),
            fits,
            labels,
            ..self
        }
    }

    /// Stores the sums at the last reading in `done`.
    pub fn leave_in(&self, done: &mut UnfinishedEpoch) {
        done.sums = self.sums;
        done.fits = self.fits.clone();
        done.labels = self.labels.clone();
    }

    /// Keeps whether each example was classified correctly.
    pub fn keeping_examples(self) -> Self {
        Self {
            correct: Some(Vec::new()),
            ..self
        }
    }

    /// Adds the outputs of a batch. The sums are updated with the first batch, and from time to time.
    pub fn add(&mut self, output: EquilibriumOutput) {
        match computes_in_place(&output.cost) {
            true => {
                let summary = Summary::of(core::slice::from_ref(&output), self.has_classes());
                self.summaries.push(summary);
            }
            false => self.waiting.push(output),
        }
        self.read_if_due();
    }

    /// Returns whether predictions are classes.
    pub fn has_classes(&self) -> bool {
        self.kind.is_none()
    }

    /// Adds the summary of a batch, like [`add`](Self::add).
    pub fn add_summary(&mut self, summary: Summary) {
        self.summaries.push(summary);
        self.read_if_due();
    }

    fn read_if_due(&mut self) {
        let is_old = self
            .last_read
            .is_none_or(|read| read.elapsed() >= READ_EVERY);
        if is_old || self.waiting.len() + self.summaries.len() >= READ_AT_MOST {
            self.read();
        }
    }

    /// Updates the sums.
    pub fn read(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let mut summaries = std::mem::take(&mut self.summaries);
        self.last_read = Some(Instant::now());
        if !waiting.is_empty() {
            summaries.push(Summary::of(&waiting, self.has_classes()));
        }
        if summaries.is_empty() {
            return;
        }
        // All at once, so that the device is waited for once.
        let all = Transaction::default();
        let numbers = summaries
            .iter()
            .fold(all, |all, summary| all.register(summary.numbers.clone()));
        for (summary, numbers) in summaries.iter().zip(numbers.execute()) {
            self.read_one(summary, &numbers);
        }
    }

    fn read_one(&mut self, summary: &Summary, numbers: &TensorData) {
        let n = summary.n_examples;
        let numbers: Vec<f64> = numbers.iter::<f64>().collect();
        let (cost, rest) = numbers.split_at(n);
        let (residual, rest) = rest.split_at(n);
        let (energy, judged) = rest.split_at(if summary.has_energy { n } else { 0 });
        self.sums.n_examples += n;
        self.sums.steps += summary.n_steps as f64;
        add(&mut self.sums.cost, cost);
        add(&mut self.sums.residual, residual);
        // A residual that is not a number has not converged.
        let within = residual.iter().filter(|&&found| found <= self.tolerance);
        self.sums.unconverged += (n - within.count()) as f64;
        if summary.has_energy {
            add(self.sums.energy.get_or_insert(0.0), energy);
        }
        match &self.kind {
            None => self.judge_classes(judged),
            Some(TargetKind::Quantities(_)) => self.judge_quantities(judged),
            Some(TargetKind::Labels(_)) => self.judge_labels(judged),
        }
    }

    fn judge_classes(&mut self, wrong: &[f64]) {
        if let Some(correct) = &mut self.correct {
            correct.extend(wrong.iter().map(|&wrong| wrong == 0.0));
        }
        self.sums.errors += wrong.iter().sum::<f64>();
    }

    fn judge_quantities(&mut self, judged: &[f64]) {
        let Some(TargetKind::Quantities(quantities)) = &self.kind else {
            return;
        };
        let (predicted, wanted) = judged.split_at(judged.len() / 2);
        let n = quantities.len();
        for (predicted, wanted) in predicted.chunks_exact(n).zip(wanted.chunks_exact(n)) {
            let mut errors = 0.0;
            for (quantity, fit) in self.fits.iter_mut().enumerate() {
                let (predicted, wanted) = (predicted[quantity], wanted[quantity]);
                fit.add(predicted, wanted);
                errors += quantities.deviation[quantity] * (predicted - wanted).abs();
            }
            self.sums.errors += errors / n as f64;
        }
    }

    fn judge_labels(&mut self, judged: &[f64]) {
        let Some(labels) = &mut self.labels else {
            return;
        };
        let (predicted, wanted) = judged.split_at(judged.len() / 2);
        let n = labels.counts.len();
        for (predicted, wanted) in predicted.chunks_exact(n).zip(wanted.chunks_exact(n)) {
            let mut n_wrong = 0;
            let pairs = predicted.iter().zip(wanted);
            let pairs = pairs.map(|(&output, &target)| [output, target].map(TargetKind::has_label));
            for is_right in labels.add(pairs) {
                n_wrong += usize::from(!is_right);
                if let Some(correct) = &mut self.correct {
                    correct.push(is_right);
                }
            }
            self.sums.errors += n_wrong as f64 / n as f64;
        }
    }

    /// Returns the means over all batches added, and the stored results of their examples.
    pub fn evaluation(mut self) -> (Evaluation, Vec<bool>) {
        self.read();
        let sums = self.sums;
        let quantities = self.kind.as_ref().and_then(TargetKind::quantities);
        let units = quantities.iter().flat_map(|found| &found.deviation);
        let fits = self.fits.iter().zip(units);
        let fits = fits.map(|(fit, &unit)| fit.fit(sums.n_examples, unit));
        let fits = fits.collect();
        let evaluation = Evaluation {
            error: sums.mean(sums.errors),
            cost: sums.mean(sums.cost),
            residual: sums.mean(sums.residual),
            n_examples: sums.n_examples,
            quantities: fits,
            labels: self.labels,
        };
        (evaluation, self.correct.unwrap_or_default())
    }
}

/// Adds the values one after the other, so that the sum does not depend on the number of batches that
/// are read back at once, which depends on time.
fn add(sum: &mut f64, values: &[f64]) {
    for value in values {
        *sum += value;
    }
}

/// Measurements of batches in one tensor, so that reading them back is a single transfer.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Cost, residual, and energy if there is one, of all examples; then for classes whether each was
    /// misclassified, and for other targets outputs and targets.
    pub numbers: Tensor<1>,
    n_examples: usize,
    has_energy: bool,
    /// Steps of the free phase, summed over the examples.
    n_steps: usize,
}

impl Summary {
    /// Summarizes predictions of classes, or of other targets.
    pub fn of(outputs: &[EquilibriumOutput], has_classes: bool) -> Self {
        let cost = join(outputs.iter().map(|output| &output.cost));
        let energy: Option<Vec<_>> = outputs
            .iter()
            .map(|output| output.energy.as_ref())
            .collect();
        let energy = energy.map(join);
        let has_energy = energy.is_some();
        let n_examples = cost.dims()[0];
        let residual = join(outputs.iter().map(|output| &output.residual));
        let dtype = cost.dtype();
        let mut parts = vec![cost, residual];
        parts.extend(energy);
        let target = join(outputs.iter().map(|output| &output.target));
        match has_classes {
            true => {
                let scores = join(outputs.iter().map(|output| &output.scores));
                let wrong = scores.argmax(1).not_equal(target.argmax(1));
                parts.push(wrong.float().squeeze_dim::<1>(1).cast(dtype));
            }
            false => {
                let output = join(outputs.iter().map(|output| &output.output));
                parts.extend([output, target].map(|numbers| numbers.flatten(0, 1)));
            }
        }
        let n_steps = outputs
            .iter()
            .map(|output| output.n_steps * output.cost.dims()[0]);
        Self {
            numbers: Tensor::cat(parts, 0),
            n_examples,
            has_energy,
            n_steps: n_steps.sum(),
        }
    }
}

fn join<'a, const D: usize>(parts: impl IntoIterator<Item = &'a Tensor<D>>) -> Tensor<D> {
    Tensor::cat(parts.into_iter().cloned().collect(), 0)
}
