//! A batch of examples, and the loader that cuts a split into batches.

mod augmentation;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::data::{Examples, TargetKind};
pub use augmentation::Augmentation;

/// Examples that are relaxed together.
#[derive(Debug, Clone)]
pub struct Batch {
    /// What is clamped, `[batch, n_inputs]`.
    pub input: Tensor<2>,
    /// What the output should be, `[batch, n_outputs]`: one-hot for a class, 0 or 1 for each of several labels.
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

/// Cuts a split into batches: a Burn [`DataLoader`].
///
/// The split lies on the device, and there is no work per example; with an [`Augmentation`] the
/// images lie on the host, where each batch is changed and then uploaded as a whole.
#[derive(Debug)]
pub struct BatchLoader {
    inputs: Inputs,
    target: Tensor<2>,
    /// What targets are, if not classes.
    kind: Option<TargetKind>,
    /// Channels, height and width of an example.
    shape: [usize; 3],
    /// The examples that this loader visits.
    indices: Vec<usize>,
    batch_size: usize,
    order: Order,
    augmentation_seed: u64,
    epoch: AtomicU64,
}

/// The inputs of all examples, `[n, n_inputs]`.
#[derive(Debug, Clone)]
enum Inputs {
    OnDevice(Box<Tensor<2>>),
    OnHost {
        pixels: Arc<Vec<f32>>,
        augmentation: Augmentation,
    },
}

impl BatchLoader {
    /// A loader over `examples`, moved to `device`.
    ///
    /// # Panics
    /// If `batch_size` is 0, or a label is not below the number of classes.
    pub fn new(examples: &Examples, batch_size: usize, order: Order, device: &Device) -> Self {
        assert!(batch_size > 0, "batch_size must be at least 1, but is 0");
        let (n, n_outputs) = (examples.len(), examples.n_outputs());
        let input = TensorData::new(examples.inputs.clone(), [n, examples.n_inputs()]);
        let target = match &examples.targets {
            Some(targets) => targets.values.clone(),
            None => {
                let mut one_hot = vec![0f32; n * n_outputs];
                for (row, &label) in one_hot.chunks_exact_mut(n_outputs).zip(&examples.labels) {
                    row[usize::from(label)] = 1.0;
                }
                one_hot
            }
        };
        let targets = examples.targets.as_ref();
        Self {
            inputs: Inputs::OnDevice(Box::new(Tensor::from_data(input, device))),
            target: Tensor::from_data(TensorData::new(target, [n, n_outputs]), device),
            kind: targets.map(|targets| targets.kind.clone()),
            shape: examples.shape,
            indices: (0..n).collect(),
            batch_size,
            order,
            augmentation_seed: match order {
                Order::Sequential => 0,
                Order::Shuffled { seed } => seed,
            },
            epoch: AtomicU64::new(0),
        }
    }

    /// Changes the images anew in every epoch. What happens to an example depends on the seed,
    /// the number of the epoch and the number of the example alone.
    ///
    /// The seed is that of the order, or 0 where the order has none; see
    /// [`with_augmentation_seed`](Self::with_augmentation_seed). The images are read back from the
    /// device once, here, and leave it.
    pub fn with_augmentation(mut self, augmentation: Augmentation) -> Self {
        let pixels = match self.inputs {
            Inputs::OnDevice(_) if augmentation.is_none() => return self,
            Inputs::OnDevice(input) => {
                let data = input.into_data().convert::<f32>();
                Arc::new(data.try_into_vec().expect("converted to this type"))
            }
            Inputs::OnHost { pixels, .. } => pixels,
        };
        self.inputs = Inputs::OnHost {
            pixels,
            augmentation,
        };
        self
    }

    /// Another seed of the augmentation.
    pub fn with_augmentation_seed(self, seed: u64) -> Self {
        Self {
            augmentation_seed: seed,
            ..self
        }
    }

    /// What targets are, if not classes.
    pub fn target_kind(&self) -> Option<&TargetKind> {
        self.kind.as_ref()
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

    /// The batches of epoch `epoch` from number `first` on, counted from 0: the rest of an epoch that
    /// was begun. Leaves alone which epoch the next iteration counts as.
    pub fn batches(&self, epoch: u64, first: usize) -> impl Iterator<Item = Batch> + '_ {
        let mut batches = self.epoch(epoch);
        batches.position = first.saturating_mul(self.batch_size);
        batches.map(|batch| batch.expect("examples in memory can always be read"))
    }

    /// The batches of epoch `epoch`.
    fn epoch(&self, epoch: u64) -> Batches<'_> {
        let mut order = self.indices.clone();
        if let Order::Shuffled { seed } = self.order {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(epoch);
            order.shuffle(&mut rng);
        }
        Batches {
            loader: self,
            epoch,
            order,
            position: 0,
        }
    }

    /// The images of `indices` as they are in epoch `epoch`, `[batch, n_inputs]`.
    fn changed(
        &self,
        pixels: &[f32],
        augmentation: Augmentation,
        epoch: u64,
        indices: &[usize],
    ) -> TensorData {
        let n_inputs = self.shape.iter().product::<usize>();
        let mut changed = Vec::with_capacity(indices.len() * n_inputs);
        for &index in indices {
            let image = &pixels[index * n_inputs..][..n_inputs];
            let change = augmentation.draw(self.augmentation_seed, epoch, index);
            change.apply(image, self.shape, &mut changed);
        }
        TensorData::new(changed, [indices.len(), n_inputs])
    }

    /// The same loader over the examples `indices`.
    fn visiting(&self, indices: Vec<usize>) -> Self {
        Self {
            inputs: self.inputs.clone(),
            target: self.target.clone(),
            kind: self.kind.clone(),
            shape: self.shape,
            indices,
            batch_size: self.batch_size,
            order: self.order,
            augmentation_seed: self.augmentation_seed,
            epoch: AtomicU64::new(self.epoch.load(Ordering::Relaxed)),
        }
    }
}

impl DataLoader<Batch> for BatchLoader {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Batch> + 'a> {
        let epoch = self.epoch.fetch_add(1, Ordering::Relaxed);
        Box::new(self.epoch(epoch))
    }

    fn num_items(&self) -> usize {
        self.indices.len()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<Batch>> {
        let mut moved = self.visiting(self.indices.clone());
        moved.target = moved.target.to_device(device);
        if let Inputs::OnDevice(input) = &mut moved.inputs {
            **input = input.as_ref().clone().to_device(device);
        }
        Arc::new(moved)
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(self.visiting(self.indices[start..end].to_vec()))
    }
}

/// One epoch of a [`BatchLoader`].
struct Batches<'a> {
    loader: &'a BatchLoader,
    epoch: u64,
    order: Vec<usize>,
    position: usize,
}

impl Iterator for Batches<'_> {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.position.saturating_add(self.loader.batch_size);
        let end = end.min(self.order.len());
        let indices = self
            .order
            .get(self.position..end)
            .filter(|i| !i.is_empty())?;
        self.position = end;
        let rows: Vec<i64> = indices.iter().map(|&i| i as i64).collect();
        let device = self.loader.target.device();
        let rows = Tensor::<1, Int>::from_data(TensorData::from(rows.as_slice()), &device);
        let input = match &self.loader.inputs {
            Inputs::OnDevice(input) => input.as_ref().clone().select(0, rows.clone()),
            Inputs::OnHost {
                pixels,
                augmentation,
            } => {
                let changed = self
                    .loader
                    .changed(pixels, *augmentation, self.epoch, indices);
                Tensor::from_data(changed, &device)
            }
        };
        Some(Ok(Batch {
            input,
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
