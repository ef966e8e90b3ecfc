//! Mini-batches, and the data loader that cuts a split into them.

mod ahead;
mod augmentation;
mod targets;

use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::data::{DataError, Examples, InputStream, TargetKind};
use ahead::{ReadAhead, StreamedEpoch};
pub use augmentation::Augmentation;
use targets::TargetRows;

/// A mini-batch: examples that relax together.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Input to clamp, `[batch, n_inputs]`.
    pub input: Tensor<2>,
    /// Target output, `[batch, n_outputs]`: one-hot for a class, 0 or 1 for each of several labels.
    pub target: Tensor<2>,
    /// Index in the training set of each row's example; persistent particles need it.
    pub indices: Option<Vec<usize>>,
}

impl Batch {
    /// Creates a batch of examples without indices.
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
    /// Storage order, in every epoch.
    Sequential,
    /// A new permutation in every epoch, determined by the seed and the epoch number alone.
    Shuffled {
        /// Seed of the permutations.
        seed: u64,
    },
}

/// A Burn [`DataLoader`] that cuts a split into mini-batches.
///
/// The split is kept on the device, and no work is done per example. With an [`Augmentation`] the images are
/// kept on the host, where each batch is augmented and then uploaded as a whole. Inputs that [stay in their
/// files](crate::data::Dataset::stream) are read by threads of the loader, a few batches ahead and in the
/// same order.
#[derive(Debug)]
pub struct BatchLoader {
    inputs: Inputs,
    targets: Targets,
    device: Device,
    /// Kind of targets, if they are not classes.
    kind: Option<TargetKind>,
    /// Channels, height and width of an example.
    shape: [usize; 3],
    /// Indices of the examples that this loader visits.
    indices: Vec<usize>,
    batch_size: usize,
    order: Order,
    augmentation_seed: u64,
    epoch: AtomicU64,
}

/// Inputs of all examples, `[n, n_inputs]`.
#[derive(Debug, Clone)]
enum Inputs {
    OnDevice(Box<Tensor<2>>),
    OnHost {
        pixels: Arc<Vec<f32>>,
        augmentation: Augmentation,
    },
    InFiles {
        stream: InputStream,
        augmentation: Augmentation,
    },
}

/// Target outputs of all examples, `[n, n_outputs]`: on the same side as the inputs, device or host.
#[derive(Debug, Clone)]
enum Targets {
    OnDevice(Box<Tensor<2>>),
    OnHost(Arc<TargetRows>),
}

impl BatchLoader {
    /// Creates a loader over `examples`, moved to `device`.
    ///
    /// # Panics
    /// If `batch_size` is 0, or a label is not below the number of classes.
    pub fn new(examples: &Examples, batch_size: usize, order: Order, device: &Device) -> Self {
        assert!(batch_size > 0, "batch_size must be at least 1, but is 0");
        let (n, n_outputs) = (examples.len(), examples.n_outputs());
        let rows = TargetRows::of(examples);
        let (inputs, targets) = match examples.stream.clone() {
            Some(stream) => {
                let augmentation = Augmentation::default();
                let inputs = Inputs::InFiles {
                    stream,
                    augmentation,
                };
                (inputs, Targets::OnHost(Arc::new(rows)))
            }
            None => {
                let input = TensorData::new(examples.inputs.clone(), [n, examples.n_inputs()]);
                let target = TensorData::new(rows.rows(0..n), [n, n_outputs]);
                let [input, target] = [input, target].map(|data| Tensor::from_data(data, device));
                (
                    Inputs::OnDevice(Box::new(input)),
                    Targets::OnDevice(Box::new(target)),
                )
            }
        };
        let kind = examples.targets.as_ref();
        Self {
            inputs,
            targets,
            device: device.clone(),
            kind: kind.map(|targets| targets.kind.clone()),
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

    /// Augments the images anew in every epoch. The change to an example depends on the seed, the epoch
    /// number and the index of the example alone.
    ///
    /// The seed is that of the order, or 0 where the order has none; see
    /// [`with_augmentation_seed`](Self::with_augmentation_seed). This call reads the images back from the
    /// device once and keeps them on the host.
    pub fn with_augmentation(mut self, augmentation: Augmentation) -> Self {
        self.inputs = match self.inputs {
            inputs @ Inputs::OnDevice(_) if augmentation.is_none() => inputs,
            Inputs::OnDevice(input) => {
                let data = input.into_data().convert::<f32>();
                let pixels = data.try_into_vec().expect("converted to this type");
                Inputs::OnHost {
                    pixels: Arc::new(pixels),
                    augmentation,
                }
            }
            Inputs::OnHost { pixels, .. } => Inputs::OnHost {
                pixels,
                augmentation,
            },
            Inputs::InFiles { stream, .. } => Inputs::InFiles {
                stream,
                augmentation,
            },
        };
        self
    }

    /// Replaces the seed of the augmentation.
    pub fn with_augmentation_seed(self, seed: u64) -> Self {
        Self {
            augmentation_seed: seed,
            ..self
        }
    }

    /// Returns the kind of targets, if they are not classes.
    pub fn target_kind(&self) -> Option<&TargetKind> {
        self.kind.as_ref()
    }

    /// Returns the number of batches in an epoch.
    pub fn n_batches(&self) -> usize {
        self.indices.len().div_ceil(self.batch_size)
    }

    /// Sets the epoch number of the next iteration, to resume a stopped run. Burn does not tell a loader
    /// its epoch: call this before resuming a `SupervisedTraining` from a checkpoint.
    pub fn set_epoch(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::Relaxed);
    }

    /// Returns the batches of epoch `epoch` from batch `first` on, counted from 0: the rest of an unfinished
    /// epoch. The epoch number of the next iteration is unaffected.
    ///
    /// # Errors
    /// The iterator yields an error for inputs that cannot be read from their files, and then ends.
    pub fn batches(
        &self,
        epoch: u64,
        first: usize,
    ) -> impl Iterator<Item = Result<Batch, DataError>> + '_ {
        let mut batches = self.epoch(epoch);
        batches.position = first.saturating_mul(self.batch_size);
        iter::from_fn(move || batches.take_next())
    }

    /// Returns the batches of epoch `epoch`.
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
            order: Arc::new(order),
            position: 0,
            ahead: None,
        }
    }

    /// Returns the same loader over the examples `indices`.
    fn visiting(&self, indices: Vec<usize>) -> Self {
        Self {
            inputs: self.inputs.clone(),
            targets: self.targets.clone(),
            device: self.device.clone(),
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
        moved.device = device.clone();
        if let Targets::OnDevice(target) = &mut moved.targets {
            **target = target.as_ref().clone().to_device(device);
        }
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
    order: Arc<Vec<usize>>,
    position: usize,
    /// Inputs read ahead, once the first batch has been requested.
    ahead: Option<ReadAhead>,
}

impl Batches<'_> {
    /// Returns the next batch, or `None` after one that could not be read.
    fn take_next(&mut self) -> Option<Result<Batch, DataError>> {
        let start = self.position;
        let end = start.saturating_add(self.loader.batch_size);
        let end = end.min(self.order.len());
        if start >= end {
            return None;
        }
        let batch = self.batch(start, end);
        self.position = match batch {
            Ok(_) => end,
            Err(_) => self.order.len(),
        };
        Some(batch)
    }

    /// Builds the next batch, from the range `start..end` of the order.
    fn batch(&mut self, start: usize, end: usize) -> Result<Batch, DataError> {
        let BatchLoader {
            inputs,
            targets,
            device,
            shape,
            augmentation_seed: seed,
            ..
        } = self.loader;
        let n_inputs = shape.iter().product::<usize>();
        let indices = &self.order[start..end];
        let upload = |numbers: Vec<f32>, width| {
            let data = TensorData::new(numbers, [indices.len(), width]);
            Tensor::<2>::from_data(data, device)
        };
        let numbers: Vec<i64> = indices.iter().map(|&i| i as i64).collect();
        let rows = Tensor::<1, Int>::from_data(TensorData::from(numbers.as_slice()), device);
        let input = match inputs {
            Inputs::OnDevice(input) => input.as_ref().clone().select(0, rows.clone()),
            Inputs::OnHost {
                pixels,
                augmentation,
            } => {
                let images = indices.iter();
                let images = images.map(|&index| &pixels[index * n_inputs..][..n_inputs]);
                let epoch = self.epoch;
                let changed = augmentation.apply(images, *shape, *seed, epoch, indices);
                upload(changed, n_inputs)
            }
            Inputs::InFiles {
                stream,
                augmentation,
            } => {
                let ahead = match &mut self.ahead {
                    Some(ahead) => ahead,
                    None => {
                        let epoch = StreamedEpoch {
                            stream: stream.clone(),
                            shape: *shape,
                            order: self.order.clone(),
                            batch_size: self.loader.batch_size,
                            augmentation: *augmentation,
                            augmentation_seed: *seed,
                            epoch: self.epoch,
                        };
                        self.ahead.insert(ReadAhead::begin(epoch, start)?)
                    }
                };
                let read = ahead.next();
                upload(
                    read.expect("the workers read to the end of the order")?,
                    n_inputs,
                )
            }
        };
        let target = match targets {
            Targets::OnDevice(target) => target.as_ref().clone().select(0, rows),
            Targets::OnHost(targets) => {
                let rows = targets.rows(indices.iter().copied());
                upload(rows, targets.n_outputs())
            }
        };
        Ok(Batch {
            input,
            target,
            indices: Some(indices.to_vec()),
        })
    }
}

impl Iterator for Batches<'_> {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.take_next()?;
        Some(batch.map_err(DatasetError::new))
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
