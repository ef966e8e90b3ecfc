//! Sums over the examples of an epoch.

use std::time::{Duration, Instant};

use burn::tensor::Tensor;

use crate::learner::EquilibriumOutput;
use crate::measurement::{Evaluation, Sums};

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
    /// Whether each example was classified rightly, in the order in which they were added, if that is kept.
    correct: Option<Vec<bool>>,
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
        }
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
        let scores = join(&waiting, |output| &output.scores);
        let predicted = scores.argmax(1);
        let wanted = join(&waiting, |output| &output.target).argmax(1);
        let cost = join(&waiting, |output| &output.cost);
        let residual = join(&waiting, |output| &output.residual);
        // NaN compares as false, and a state that is not a number has not converged.
        let within = residual.clone().lower_equal_elem(self.tolerance).float();
        self.sums.n_examples += cost.dims()[0];
        let wrong = predicted.not_equal(wanted).float();
        if let Some(correct) = &mut self.correct {
            let wrong = wrong.clone().into_data();
            correct.extend(wrong.iter::<f64>().map(|wrong| wrong == 0.0));
        }
        self.sums.errors += sum(wrong);
        self.sums.unconverged += cost.dims()[0] as f64 - sum(within);
        add(&mut self.sums.cost, cost);
        let energy: Option<Vec<_>> = waiting.iter().map(|output| output.energy.clone()).collect();
        if let Some(energy) = energy {
            let sum = self.sums.energy.get_or_insert(0.0);
            add(sum, Tensor::cat(energy, 0));
        }
        add(&mut self.sums.residual, residual);
    }

    /// The means over all batches that were added, and what is kept of their examples.
    pub fn evaluation(mut self) -> (Evaluation, Vec<bool>) {
        self.read();
        let sums = self.sums;
        let evaluation = Evaluation {
            error: sums.mean(sums.errors),
            cost: sums.mean(sums.cost),
            residual: sums.mean(sums.residual),
            n_examples: sums.n_examples,
        };
        (evaluation, self.correct.unwrap_or_default())
    }
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
