//! A batch of examples, and the loader that cuts a split into batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::data::Examples;

/// Examples that are relaxed together.
#[derive(Debug, Clone)]
pub struct Batch {
    /// What is clamped, `[batch, n_inputs]`.
    pub input: Tensor<2>,
    /// What the output should be, `[batch, n_classes]`: one-hot for a classification.
    pub target: Tensor<2>,
    /// Which example of the training set each row is; persistent particles need it.
    pub indices: Option<Vec<usize>>,
}

impl Batch {
    /// A batch of examples without identity.
    pub fn new(input: Tensor<2>, target: Tensor<2>) -> Self {
        Self {
            input,
            target,
            indices: None,
        }
    }
}

/// The order in which a loader visits its examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As they are stored, in every epoch.
    Sequential,
    /// A new permutation for every epoch, which depends on the seed and the number of the
    /// epoch alone.
    Shuffled {
        /// Seed of the permutations.
        seed: u64,
    },
}

/// Cuts a split that lies on the device into batches: a Burn [`DataLoader`] without any work
/// per example.
#[derive(Debug)]
pub struct BatchLoader {
    input: Tensor<2>,
    target: Tensor<2>,
    /// The examples that this loader visits.
    indices: Vec<usize>,
    batch_size: usize,
    order: Order,
    epoch: AtomicU64,
}

impl BatchLoader {
    /// A loader over `examples`, moved to `device`.
    ///
    /// # Panics
    /// If `batch_size` is 0.
    pub fn new(examples: &Examples, batch_size: usize, order: Order, device: &Device) -> Self {
        assert!(batch_size > 0, "batch_size must be at least 1, but is 0");
        let (n, n_classes) = (examples.len(), examples.n_classes);
        let input = TensorData::new(examples.inputs.clone(), [n, examples.n_inputs]);
        let mut one_hot = vec![0f32; n * n_classes];
        for (row, &label) in one_hot.chunks_exact_mut(n_classes).zip(&examples.labels) {
            row[usize::from(label)] = 1.0;
        }
        Self {
            input: Tensor::from_data(input, device),
            target: Tensor::from_data(TensorData::new(one_hot, [n, n_classes]), device),
            indices: (0..n).collect(),
            batch_size,
            order,
            epoch: AtomicU64::new(0),
        }
    }

    /// The number of batches in an epoch.
    pub fn n_batches(&self) -> usize {
        self.indices.len().div_ceil(self.batch_size)
    }

    /// Sets the epoch that the next iteration counts as, to go on where a run stopped. Burn does
    /// not tell a loader: call this before resuming a `SupervisedTraining` from a checkpoint.
    pub fn set_epoch(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::Relaxed);
    }

    /// The examples in the order of epoch `epoch`.
    fn permutation(&self, epoch: u64) -> Vec<usize> {
        let mut indices = self.indices.clone();
        if let Order::Shuffled { seed } = self.order {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(epoch);
            indices.shuffle(&mut rng);
        }
        indices
    }
}

impl DataLoader<Batch> for BatchLoader {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Batch> + 'a> {
        let epoch = self.epoch.fetch_add(1, Ordering::Relaxed);
        Box::new(Batches {
            loader: self,
            order: self.permutation(epoch),
            position: 0,
        })
    }

    fn num_items(&self) -> usize {
        self.indices.len()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(Self {
            input: self.input.clone().to_device(device),
            target: self.target.clone().to_device(device),
            indices: self.indices.clone(),
            batch_size: self.batch_size,
            order: self.order,
            epoch: AtomicU64::new(self.epoch.load(Ordering::Relaxed)),
        })
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(Self {
            input: self.input.clone(),
            target: self.target.clone(),
            indices: self.indices[start..end].to_vec(),
            batch_size: self.batch_size,
            order: self.order,
            epoch: AtomicU64::new(self.epoch.load(Ordering::Relaxed)),
        })
    }
}

/// One epoch of a [`BatchLoader`].
struct Batches<'a> {
    loader: &'a BatchLoader,
    order: Vec<usize>,
    position: usize,
}

impl Iterator for Batches<'_> {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let end = (self.position + self.loader.batch_size).min(self.order.len());
        let indices = self
            .order
            .get(self.position..end)
            .filter(|i| !i.is_empty())?;
        self.position = end;
        let rows: Vec<i64> = indices.iter().map(|&i| i as i64).collect();
        let device = self.loader.input.device();
        let rows = Tensor::<1, Int>::from_data(TensorData::from(rows.as_slice()), &device);
        Some(Ok(Batch {
            input: self.loader.input.clone().select(0, rows.clone()),
            target: self.loader.target.clone().select(0, rows),
            indices: Some(indices.to_vec()),
        }))
    }
}

impl DataLoaderIterator<Batch> for Batches<'_> {
    fn progress(&self) -> Progress {
        Progress {
            items_processed: self.position,
            items_total: self.order.len(),
            unit: Some("examples".into()),
        }
    }
}
