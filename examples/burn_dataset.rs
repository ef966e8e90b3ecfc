//! Trains on a data set of Burn with a custom mapper, a custom batcher and Burn's workers: equilibrium
//! propagation learns to tell two rings of points apart.
//!
//! `cargo run --release --example burn_dataset`

use burn::data::dataloader::DataLoaderBuilder;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::transform::{Mapper, MapperDataset};
use burn::data::dataset::{Dataset as BurnDataset, DatasetError};
use burn::tensor::{Device, Tensor, TensorData};
use eqprop_train::prelude::*;

/// Points on two rings as `(angle, ring)`. There may be any number of them; none is kept in memory.
struct Rings(usize);

impl BurnDataset<(f32, usize)> for Rings {
    fn get(&self, index: usize) -> Result<(f32, usize), DatasetError> {
        Ok((index as f32 * 0.618, index % 2))
    }

    fn len(&self) -> usize {
        self.0
    }
}

/// Maps an entry to a point and its ring.
struct Point;

impl Mapper<(f32, usize), ([f32; 2], usize)> for Point {
    fn map(&self, &(angle, ring): &(f32, usize)) -> ([f32; 2], usize) {
        let radius = 1.0 + ring as f32;
        ([angle.cos() * radius, angle.sin() * radius], ring)
    }
}

/// Collects inputs `[batch, 2]` and one-hot targets `[batch, 2]`.
struct Points;

impl Batcher<([f32; 2], usize), Batch> for Points {
    fn batch(&self, items: Vec<([f32; 2], usize)>, device: &Device) -> Batch {
        let rows = |numbers: Vec<f32>| {
            Tensor::from_data(TensorData::new(numbers, [items.len(), 2]), device)
        };
        let input = items.iter().flat_map(|(point, _)| *point).collect();
        let target = items.iter().flat_map(|(_, ring)| [1 - ring, *ring]);
        Batch::new(rows(input), rows(target.map(|x| x as f32).collect()))
    }
}

fn main() -> anyhow::Result<()> {
    let device = Device::default().autodiff();
    device.seed(0);
    let (hidden, output) = (Activation::HardSigmoid, Activation::Identity);
    let weights = InitializerConfig::FanIn { gain: 1.0 };
    let energy = HopfieldEnergyConfig::dense(&[2, 64, 2], hidden, output, weights).init(&device);
    let phase = |n_steps| Relaxation::steps(Scheme::Asynchronous, n_steps);
    let method = EquilibriumPropagation::new(Nudging::Centered { beta: 0.5 }, phase(15), phase(6));
    let network = EquilibriumNetwork::new(energy, SquaredError);

    let loader = |n| {
        DataLoaderBuilder::new(Points)
            .batch_size(20)
            .shuffle(1)
            .num_workers(2)
            .set_device(device.clone())
            .build(MapperDataset::new(Rings(n), Point))
    };
    let folder = std::env::temp_dir().join("eqprop-burn-dataset");
    SupervisedTraining::new(folder, loader(4000), loader(1000))
        .metrics((AccuracyMetric::new(), LossMetric::new()))
        .renderer(Box::new(EpochLines::stdout()))
        .num_epochs(5)
        .summary()
        .launch(Learner::new(
            EquilibriumLearner::new(network, method),
            SgdConfig::new().init(),
            0.1,
        ));
    Ok(())
}
