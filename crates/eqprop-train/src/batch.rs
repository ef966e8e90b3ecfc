//! A batch of examples, and the loader that cuts a split into batches.

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
/// images lie on the host, where each batch is changed and then uploaded as a whole. Inputs that
/// [stay in their files](crate::data::Dataset::stream) are read by threads of the loader, some batches ahead of those that are
/// taken from it, and in the same order.
#[derive(Debug)]
pub struct BatchLoader {
    inputs: Inputs,
    targets: Targets,
    device: Device,
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
    InFiles {
        stream: InputStream,
        augmentation: Augmentation,
    },
}

/// What the outputs should be of all examples, `[n, n_outputs]`: on the device with the inputs, or with them on the host.
#[derive(Debug, Clone)]
enum Targets {
    OnDevice(Box<Tensor<2>>),
    OnHost(Arc<TargetRows>),
}

impl BatchLoader {
    /// A loader over `examples`, moved to `device`.
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

    /// Changes the images anew in every epoch. What happens to an example depends on the seed,
    /// the number of the epoch and the number of the example alone.
    ///
    /// The seed is that of the order, or 0 where the order has none; see
    /// [`with_augmentation_seed`](Self::with_augmentation_seed). The images are read back from the
    /// device once, here, and leave it.
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
    ///
    /// # Errors
    /// The batch that cannot be read, and is the last, if inputs are in files.
    pub fn batches(
        &self,
        epoch: u64,
        first: usize,
    ) -> impl Iterator<Item = Result<Batch, DataError>> + '_ {
        let mut batches = self.epoch(epoch);
        batches.position = first.saturating_mul(self.batch_size);
        iter::from_fn(move || batches.take_next())
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
            order: Arc::new(order),
            position: 0,
            ahead: None,
        }
    }

    /// The same loader over the examples `indices`.
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
    /// Inputs that are read already, once the first was asked for.
    ahead: Option<ReadAhead>,
}

impl Batches<'_> {
    /// The next batch. Behind one that cannot be read there is none.
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

    /// The batch of a part of the order, which is the next.
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
