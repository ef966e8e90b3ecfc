//! Sums over the examples of an epoch.

use std::time::{Duration, Instant};

use burn::tensor::Tensor;

use crate::data::{Quantities, TargetKind};
use crate::learner::EquilibriumOutput;
use crate::measurement::{Evaluation, FitSums, LabelSums, Sums, UnfinishedEpoch};

/// What a batch showed is read back when this much time has passed: not per batch, because
/// reading waits for the device.
const READ_EVERY: Duration = Duration::from_millis(200);
/// At most so many batches wait to be read back.
const READ_AT_MOST: usize = 256;

/// Sums over the examples seen so far; outputs wait on the device until some time has passed.
#[derive(Clone)]
pub struct Tally {
    tolerance: f64,
    waiting: Vec<EquilibriumOutput>,
    last_read: Option<Instant>,
    /// As of the last reading.
    pub sums: Sums,
    /// Whether each example was classified rightly, in the order in which they were added, if that is kept; of several
    /// labels at once of each label of each example.
    correct: Option<Vec<bool>>,
    /// What is predicted, if not classes.
    kind: Option<TargetKind>,
    /// Of each quantity, as of the last reading.
    fits: Vec<FitSums>,
    /// Of several labels at once, as of the last reading.
    labels: Option<LabelSums>,
}

impl Tally {
    /// Goes on from `sums`. A residual above `tolerance` counts as not converged.
    pub fn new(tolerance: f64, sums: Sums) -> Self {
        Self {
            tolerance,
            waiting: Vec::new(),
            last_read: None,
            sums,
            correct: None,
            kind: None,
            fits: Vec::new(),
            labels: None,
        }
    }

    /// Judges predictions of `kind`, if not of classes; goes on from what `done` has of them.
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

    /// Leaves the sums, as of the last reading, in `done`.
    pub fn leave_in(&self, done: &mut UnfinishedEpoch) {
        done.sums = self.sums;
        done.fits = self.fits.clone();
        done.labels = self.labels.clone();
    }

    /// Keeps of each example whether it was classified rightly.
    pub fn keeping_examples(self) -> Self {
        Self {
            correct: Some(Vec::new()),
            ..self
        }
    }

    /// Adds what a batch showed. The sums are brought up to date with the first batch, and from time
    /// to time.
    pub fn add(&mut self, output: EquilibriumOutput) {
        self.waiting.push(output);
        let is_old = self
            .last_read
            .is_none_or(|read| read.elapsed() >= READ_EVERY);
        if is_old || self.waiting.len() >= READ_AT_MOST {
            self.read();
        }
    }

    /// Brings the sums up to date.
    pub fn read(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        self.last_read = Some(Instant::now());
        if waiting.is_empty() {
            return;
        }
        for output in &waiting {
            self.sums.steps += (output.n_steps * output.cost.dims()[0]) as f64;
        }
        match &self.kind {
            None => self.judge_classes(&waiting),
            Some(TargetKind::Quantities(_)) => self.judge_quantities(&waiting),
            Some(TargetKind::Labels(_)) => self.judge_labels(&waiting),
        }
        let cost = join(&waiting, |output| &output.cost);
        let residual = join(&waiting, |output| &output.residual);
        // NaN compares as false, and a state that is not a number has not converged.
        let within = residual.clone().lower_equal_elem(self.tolerance).float();
        self.sums.n_examples += cost.dims()[0];
        self.sums.unconverged += cost.dims()[0] as f64 - sum(within);
        add(&mut self.sums.cost, cost);
        let energy: Option<Vec<_>> = waiting.iter().map(|output| output.energy.clone()).collect();
        if let Some(energy) = energy {
            let sum = self.sums.energy.get_or_insert(0.0);
            add(sum, Tensor::cat(energy, 0));
        }
        add(&mut self.sums.residual, residual);
    }

    fn judge_classes(&mut self, outputs: &[EquilibriumOutput]) {
        let predicted = join(outputs, |output| &output.scores).argmax(1);
        let wanted = join(outputs, |output| &output.target).argmax(1);
        let wrong = predicted.not_equal(wanted).float();
        if let Some(correct) = &mut self.correct {
            let wrong = wrong.clone().into_data();
            correct.extend(wrong.iter::<f64>().map(|wrong| wrong == 0.0));
        }
        self.sums.errors += sum(wrong);
    }

    fn judge_quantities(&mut self, outputs: &[EquilibriumOutput]) {
        let Some(TargetKind::Quantities(quantities)) = &self.kind else {
            return;
        };
        let [predicted, wanted] = predicted_and_wanted(outputs);
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

    fn judge_labels(&mut self, outputs: &[EquilibriumOutput]) {
        let Some(labels) = &mut self.labels else {
            return;
        };
        let [predicted, wanted] = predicted_and_wanted(outputs);
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

    /// The means over all batches that were added, and what is kept of their examples.
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

/// The outputs and the targets of all batches, as numbers.
fn predicted_and_wanted(outputs: &[EquilibriumOutput]) -> [Vec<f64>; 2] {
    let parts: [fn(&EquilibriumOutput) -> &Tensor<2>; 2] =
        [|output| &output.output, |output| &output.target];
    parts.map(|part| join(outputs, part).into_data().iter::<f64>().collect())
}

fn join<const D: usize>(
    outputs: &[EquilibriumOutput],
    part: impl Fn(&EquilibriumOutput) -> &Tensor<D>,
) -> Tensor<D> {
    let parts = outputs.iter().map(|output| part(output).clone());
    Tensor::cat(parts.collect(), 0)
}

/// Adds the values one after the other, so that the sum does not depend on how many batches
/// are read back at once, which is a matter of time.
fn add(sum: &mut f64, values: Tensor<1>) {
    for value in values.into_data().iter::<f64>() {
        *sum += value;
    }
}

fn sum<const D: usize>(values: Tensor<D>) -> f64 {
    values.sum().into_scalar::<f64>()
}
