//! Inputs of batches that are read from files before they are needed.
//!
//! Burn's loader with several workers gives out batches as they are ready, keeps up to a hundred of them, however large, and
//! of an error its text. Here workers take the batches in turns, so that their order is that of the epoch, whichever is
//! ready first, and each waits until the one before was taken.

use std::mem::size_of;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use super::Augmentation;
use crate::data::{DataError, InputStream};

/// The most threads that read.
const MOST_WORKERS: usize = 8;

/// Batches of a worker: one that waits, and one that is being read.
const BATCHES_OF_EACH: usize = 2;

/// Bytes that all batches of all workers take, as far as each can have one.
const BYTES: usize = 1 << 28;

/// An epoch of inputs that are in files.
#[derive(Debug)]
pub(super) struct StreamedEpoch {
    pub stream: InputStream,
    /// Channels, height and width of an example.
    pub shape: [usize; 3],
    /// The examples in the order of the epoch.
    pub order: Arc<Vec<usize>>,
    pub batch_size: usize,
    pub augmentation: Augmentation,
    pub augmentation_seed: u64,
    pub epoch: u64,
}

impl StreamedEpoch {
    /// The inputs of the batch that begins with example `start` of the order.
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

    /// How many threads read it.
    fn n_workers(&self) -> usize {
        let n_inputs = self.shape.iter().product::<usize>();
        let of_each = BATCHES_OF_EACH * self.batch_size.min(self.order.len()) * n_inputs;
        let fitting = BYTES / (of_each * size_of::<f32>()).max(1);
        let n_threads = thread::available_parallelism().map_or(1, usize::from);
        fitting.min(n_threads).clamp(1, MOST_WORKERS)
    }
}

/// Batches that are read ahead, from one of an epoch on.
#[derive(Debug)]
pub(super) struct ReadAhead {
    workers: Vec<Worker>,
    /// Whose turn it is.
    turn: usize,
}

#[derive(Debug)]
struct Worker {
    batches: Receiver<Result<Vec<f32>, DataError>>,
    thread: Option<JoinHandle<()>>,
}

impl ReadAhead {
    /// Begins to read `epoch` from example `start` of its order on.
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
                    // Nobody listens any more where the epoch was paused.
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

    /// The inputs of the next batch, or none behind the last.
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
