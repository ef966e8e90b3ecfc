//! Reading the inputs of batches from files ahead of their use.
//!
//! With several workers, Burn's loader yields batches as they become ready, buffers up to a hundred of them
//! of any size, and reduces an error to its text. Here the workers take turns, so that batches keep the order
//! of the epoch whichever is ready first, and each worker waits until its previous batch has been taken.

use std::mem::size_of;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use super::Augmentation;
use crate::data::{DataError, InputStream};

/// Largest number of reading threads.
const MOST_WORKERS: usize = 8;

/// Batches in flight per worker: one waiting, and one being read.
const BATCHES_OF_EACH: usize = 2;

/// Memory budget for the batches of all workers, in bytes; one worker runs even if its batches exceed it.
const BYTES: usize = 1 << 28;

/// An epoch whose inputs are in files.
#[derive(Debug)]
pub(super) struct StreamedEpoch {
    pub stream: InputStream,
    /// Channels, height and width of an example.
    pub shape: [usize; 3],
    /// Indices of the examples, in the order of the epoch.
    pub order: Arc<Vec<usize>>,
    pub batch_size: usize,
    pub augmentation: Augmentation,
    pub augmentation_seed: u64,
    pub epoch: u64,
}

impl StreamedEpoch {
    /// Reads the inputs of the batch that begins with example `start` of the order.
    fn read(&self, start: usize) -> Result<Vec<f32>, DataError> {
        let end = self.order.len().min(start.saturating_add(self.batch_size));
        let indices = &self.order[start..end];
        let inputs = self.stream.read(indices.iter().copied())?;
        Ok(match self.augmentation.is_none() {
            true => inputs,
            false => {
                let seed = self.augmentation_seed;
                let images = inputs.chunks_exact(self.shape.iter().product());
                let (shape, epoch) = (self.shape, self.epoch);
                self.augmentation.apply(images, shape, seed, epoch, indices)
            }
        })
    }

    /// Returns the number of reading threads.
    fn n_workers(&self) -> usize {
        let n_inputs = self.shape.iter().product::<usize>();
        let of_each = BATCHES_OF_EACH * self.batch_size.min(self.order.len()) * n_inputs;
        let fitting = BYTES / (of_each * size_of::<f32>()).max(1);
        let n_threads = thread::available_parallelism().map_or(1, usize::from);
        fitting.min(n_threads).clamp(1, MOST_WORKERS)
    }
}

/// Inputs of consecutive batches of an epoch, read ahead.
#[derive(Debug)]
pub(super) struct ReadAhead {
    workers: Vec<Worker>,
    /// Index of the worker whose turn it is.
    turn: usize,
}

#[derive(Debug)]
struct Worker {
    batches: Receiver<Result<Vec<f32>, DataError>>,
    thread: Option<JoinHandle<()>>,
}

impl ReadAhead {
    /// Starts to read `epoch`, from example `start` of its order on.
    pub fn begin(epoch: StreamedEpoch, start: usize) -> Result<Self, DataError> {
        let epoch = Arc::new(epoch);
        let n_workers = epoch.n_workers();
        let worker = |number: usize| {
            let (sender, batches) = sync_channel(BATCHES_OF_EACH - 1);
            let (epoch, size) = (epoch.clone(), epoch.batch_size);
            let work = move || {
                let first = start.saturating_add(number.saturating_mul(size));
                let own = (first..epoch.order.len()).step_by(n_workers.saturating_mul(size));
                for start in own {
                    let read = epoch.read(start);
                    // The receiver is gone if the epoch was paused.
                    if read.is_err() | sender.send(read).is_err() {
                        break;
                    }
                }
            };
            let thread = thread::Builder::new().name("eqprop-data".into());
            let thread = thread.spawn(work).map_err(DataError::Thread)?;
            Ok::<_, DataError>(Worker {
                batches,
                thread: Some(thread),
            })
        };
        let workers: Result<Vec<_>, _> = (0..n_workers).map(worker).collect();
        Ok(Self {
            workers: workers?,
            turn: 0,
        })
    }

    /// Returns the inputs of the next batch, or `None` after the last.
    pub fn next(&mut self) -> Option<Result<Vec<f32>, DataError>> {
        let n_workers = self.workers.len();
        let worker = &mut self.workers[self.turn];
        self.turn = (self.turn + 1) % n_workers;
        let read = worker.batches.recv().ok();
        if read.is_none()
            && let Some(thread) = worker.thread.take()
            && let Err(panic) = thread.join()
        {
            resume_unwind(panic);
        }
        read
    }
}
