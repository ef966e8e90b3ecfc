//! Relaxation of a batch, with its examples divided among threads.

use core::ops::Range;

use burn::tensor::{Device, Tensor};

use super::floats::tensor;
use crate::fused::Update;
use crate::kernel::simd::largest_difference;
use crate::kernel::team::share;
use crate::kernel::threads::{collected, threads_for};
use crate::relaxed::{Relaxed, Stopping};
use crate::state::State;

/// Minimum number of multiplications of a relaxation per thread.
const WORTH_A_THREAD: usize = 2_000_000;

/// Some examples of the batch, relaxed on one thread.
pub trait Worker: Send + Sync {
    /// Runs `n_steps` steps and measures the change in the last one.
    fn run(&mut self, n_steps: usize);

    /// For each example, the largest change of any unit in the last step.
    fn change(&self) -> &[f32];

    /// Writes the state of layer `layer`, in tensor order.
    fn write(&self, layer: usize, out: &mut [f32]);
}

/// The number of threads for `n_steps` steps with `work` multiplications per example and step.
pub fn n_threads(batch: usize, n_steps: usize, work: usize) -> usize {
    let work = work.saturating_mul(batch).saturating_mul(n_steps);
    threads_for(work, WORTH_A_THREAD).min(batch)
}

/// Divides a batch among `n` workers, which `n_threads` threads create.
pub fn share_out<W: Send>(
    batch: usize,
    [n, n_threads]: [usize; 2],
    worker: impl Fn(Range<usize>) -> W + Sync,
) -> Vec<W> {
    let bound = |index: usize| index * batch / n;
    let mut workers: Vec<Option<W>> = (0..n).map(|_| None).collect();
    share(
        workers.iter_mut().enumerate().collect(),
        n_threads,
        |(index, place)| {
            *place = Some(worker(bound(index)..bound(index + 1)));
        },
    );
    workers.into_iter().flatten().collect()
}

/// Runs steps on `n_threads` threads until it is time to stop; returns their number.
pub fn run<W: Worker>(
    workers: &mut [W],
    n_threads: usize,
    update: Update,
    stopping: Stopping,
) -> usize {
    let Stopping {
        max_steps,
        tolerance,
        check_every,
    } = stopping;
    let mut n_steps = 0;
    loop {
        let rest = max_steps - n_steps;
        let now = match tolerance {
            Some(_) => rest.min(check_every),
            None => rest,
        };
        share(workers.iter_mut().collect(), n_threads, |worker| {
            worker.run(now)
        });
        n_steps += now;
        let is_over = n_steps >= max_steps
            || tolerance.is_some_and(|tolerance| {
                let largest = residuals(workers, update).try_fold(0f32, |largest, residual| {
                    // A state with infinities or NaN does not recover.
                    residual.is_finite().then(|| largest.max(residual))
                });
                largest.is_none_or(|largest| f64::from(largest) <= tolerance)
            });
        if is_over {
            return n_steps;
        }
    }
}

/// The changes in the last step, divided by the step size.
fn residuals<W: Worker>(workers: &[W], update: Update) -> impl Iterator<Item = f32> {
    let step_size = match update {
        Update::InTurn | Update::AtOnce => 1.0,
        Update::Flow(step_size) => step_size as f32,
    };
    let changes = workers.iter().flat_map(|worker| worker.change());
    changes.map(move |change| change / step_size)
}

/// The relaxed state and its residual, with layers of these sizes.
pub fn collect<W: Worker>(
    workers: &[W],
    update: Update,
    stopping: Stopping,
    n_steps: usize,
    (sizes, device): (&[usize], &Device),
) -> Relaxed {
    let residual: Vec<f32> = residuals(workers, update).collect();
    let layers = sizes
        .iter()
        .enumerate()
        .map(|(layer, &n)| gathered(workers, n, device, |worker, out| worker.write(layer, out)));
    let state = State::new(layers.collect());
    let batch = residual.len();
    Relaxed {
        state,
        residual: tensor(residual, [batch], device),
        n_steps,
        tolerance: stopping.tolerance,
    }
}

/// Collects what `write` writes for each worker's examples, `n` numbers per example.
pub fn gathered<W: Worker>(
    workers: &[W],
    n: usize,
    device: &Device,
    write: impl Fn(&W, &mut [f32]) + Sync,
) -> Tensor<2> {
    let examples = workers.iter().map(|worker| worker.change().len());
    let items = workers
        .iter()
        .zip(examples.clone().map(|examples| examples * n));
    tensor(collected(items, write), [examples.sum(), n], device)
}

/// Raises the change of each example to its largest change in a layer of `n` units.
pub fn measure(now: &[f32], before: &[f32], n: usize, change: &mut [f32]) {
    let rows = now.chunks_exact(n).zip(before.chunks_exact(n));
    for (change, (now, before)) in change.iter_mut().zip(rows) {
        let largest = largest_difference(now, before);
        if largest > *change || largest.is_nan() {
            *change = largest;
        }
    }
}
