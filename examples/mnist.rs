//! Trains 784-500-10 on MNIST with the features of Burn's training: metrics, a learning-rate schedule,
//! checkpoints, early stopping and a summary. (With Burn's feature `tui`, leave out the renderer to see its
//! dashboard.) The files of MNIST are expected in the folder given by the environment variable `EQPROP_DATA`;
//! without it the network is 64-128-10 and the data are the bundled digits.
//!
//! `cargo run --release --example mnist`, and to resume from the checkpoint of epoch 3
//! `cargo run --release --example mnist -- 3`

use std::sync::Arc;

use anyhow::{Context, ensure};
use burn::optim::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::optim::momentum::MomentumConfig;
use burn::train::checkpoint::KeepLastNCheckpoints;
use burn::train::metric::LearningRateMetric;
use burn::train::metric::store::{Aggregate, Direction, Split};
use burn::train::{MetricEarlyStoppingStrategy, StoppingCondition};
use eqprop_train::data::DATA_DIR_VARIABLE;
use eqprop_train::prelude::*;

const EPOCHS: usize = 6;
const BATCH: usize = 20;

fn main() -> anyhow::Result<()> {
    let resume = std::env::args().nth(1);
    let resume = resume.map(|epoch| epoch.parse::<usize>()).transpose();
    let resume = resume.context("the argument is the number of a finished epoch")?;

    let device = Device::default().autodiff();
    device.seed(0);
    let folder = std::env::var_os(DATA_DIR_VARIABLE).filter(|folder| !folder.is_empty());
    let (kind, n_hidden) = match folder {
        Some(_) => (DatasetKind::Mnist, 500),
        None => (DatasetKind::Digits, 128),
    };
    let data = Dataset::load(kind, None)?;
    println!(
        "{kind}: {} training, {} test images",
        data.train.len(),
        data.test.len()
    );

    let sizes = [kind.n_inputs(), n_hidden, kind.n_classes()];
    let (hidden, output) = (Activation::HardSigmoid, Activation::Identity);
    let weights = InitializerConfig::FanIn { gain: 0.6 };
    let energy = HopfieldEnergyConfig::dense(&sizes, hidden, output, weights).init(&device);
    let network = EquilibriumNetwork::new(energy, SquaredError);
    let phase = |n_steps| Relaxation::steps(Scheme::Asynchronous, n_steps);
    let nudging = Nudging::Centered { beta: 0.3 };
    let method = EquilibriumPropagation::new(nudging, phase(15), phase(6));
    let model = EquilibriumLearner::new(network, method);

    let train = BatchLoader::new(&data.train, BATCH, Order::Shuffled { seed: 0 }, &device);
    let test = BatchLoader::new(&data.test, 500, Order::Sequential, &device);
    // Burn does not tell a loader at which epoch it resumes.
    train.set_epoch(resume.unwrap_or(0) as u64);
    let n_updates = EPOCHS * train.n_batches();
    let momentum = MomentumConfig::new().with_momentum(0.5).with_dampening(0.0);
    let optimizer = SgdConfig::new().with_momentum(Some(momentum)).init();
    let rate = CosineAnnealingLrSchedulerConfig::new(0.05, n_updates).init();
    let rate = rate.map_err(anyhow::Error::msg)?;

    let folder = std::env::temp_dir().join(format!("eqprop-{kind}"));
    let until_it_gets_worse = MetricEarlyStoppingStrategy::new(
        &LossMetric::new(),
        Aggregate::Mean,
        Direction::Lowest,
        Split::Valid,
        StoppingCondition::NoImprovementSince { n_epochs: 3 },
    );
    let mut training = SupervisedTraining::new(&folder, Arc::new(train), Arc::new(test))
        .metrics((AccuracyMetric::new(), LossMetric::new()))
        .metrics((EnergyMetric::default(), ResidualMetric::default()))
        .metric_train_numeric(UnconvergedMetric::new(1e-2))
        .metric_train_numeric(LearningRateMetric::new())
        .renderer(Box::new(EpochLines::stdout()))
        .with_default_checkpointers()
        .with_checkpointing_strategy(KeepLastNCheckpoints::new(EPOCHS))
        .early_stopping(until_it_gets_worse)
        .num_epochs(EPOCHS)
        .summary();
    if let Some(epoch) = resume {
        let model = folder.join(format!("checkpoint/model-{epoch}.bpk"));
        ensure!(model.is_file(), "there is no checkpoint of epoch {epoch}");
        training = training.checkpoint(epoch);
    }
    let trained = training.launch(Learner::new(model, optimizer, rate));
    if let Some(error) = trained.error {
        return Err(error).context("the training stopped");
    }
    println!("checkpoints and metrics: {}", folder.display());
    Ok(())
}
