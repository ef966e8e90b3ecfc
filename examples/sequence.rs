//! Trains oscillators that never come to rest to read digits row by row, by Hamiltonian echo with Burn's own
//! learner: 8 inputs of 8 pixels each. Prints the test error; then how the gradient agrees with
//! backpropagation through the same steps, the time and memory of both, and how these grow with the length of
//! a sequence.
//!
//! `cargo run --release --example sequence`

use std::sync::Arc;
use std::time::Instant;

use burn::module::{ModuleMapper, Param};
use burn::optim::AdamConfig;
use burn::optim::lr_scheduler::linear::LinearLrSchedulerConfig;
use burn::tensor::{DType, Distribution};
use eqprop_bench::baseline::SequenceBptt;
use eqprop_bench::memory::{CountingAllocator, peak_of};
use eqprop_core::sequence::*;
use eqprop_train::metric::EchoResidualMetric;
use eqprop_train::prelude::*;
use eqprop_train::sequence::*;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const N_UNITS: usize = 64;
const N_EPOCHS: usize = 20;
const BATCH_SIZE: usize = 32;

type Network = SequenceNetwork<CoupledOscillators, CrossEntropy>;
type Estimator = dyn SequenceEstimator<CoupledOscillators, CrossEntropy>;

/// Oscillators driven by `n_inputs` values, each input held for some steps, and a readout of 10 classes.
fn network(n_inputs: usize, leapfrog: LeapfrogConfig, device: &Device) -> Network {
    let oscillators = CoupledOscillatorsConfig::new(n_inputs, N_UNITS, N_UNITS).init(device);
    let readout = CrossEntropyConfig::new(N_UNITS, 10).init(device);
    SequenceNetwork::new(vec![HamiltonianSystem::new(oscillators, leapfrog)], readout)
}

fn main() -> anyhow::Result<()> {
    let device = Device::default().autodiff();
    device.seed(0);
    let digits = Dataset::load(DatasetKind::Digits, None)?;
    let loader = |examples, size, order| Arc::new(BatchLoader::new(examples, size, order, &device));
    let train = loader(&digits.train, BATCH_SIZE, Order::Shuffled { seed: 0 });
    let test = loader(&digits.test, 360, Order::Sequential);
    let start = network(8, LeapfrogConfig::new(0.3, 3), &device);

    let folder = std::env::temp_dir().join("eqprop-sequence");
    let n_updates = N_EPOCHS * train.n_batches();
    let rate = LinearLrSchedulerConfig::new(1e-2, 1e-6, n_updates);
    let rate = rate.init().map_err(anyhow::Error::msg)?;
    let trained = SupervisedTraining::new(folder, train.clone(), test.clone())
        .metrics((AccuracyMetric::new(), LossMetric::new()))
        .metric_train_numeric(EchoResidualMetric::default())
        .renderer(Box::new(EpochLines::stdout()))
        .num_epochs(N_EPOCHS)
        .summary()
        .launch(Learner::new(
            SequenceLearner::new(start.clone(), HamiltonianEcho::new(1e-3)),
            AdamConfig::new().init(),
            rate,
        ));
    let batch = test.iter().next().expect("a test set")?;
    let shown = InferenceStep::step(&trained.model, batch);
    let error = 100.0 * shown.errors().mean().into_scalar::<f64>();
    let oscillators = &trained.model.network.systems[0].potential;
    println!(
        "test error {error:.2} %; h ω ≤ {:.2}\n",
        0.3 * oscillators.frequency_bound()
    );

    println!("an epoch without updates       time    peak memory");
    let [echo, bptt]: [&Estimator; 2] = [&HamiltonianEcho::new(1e-3), &SequenceBptt];
    for (name, estimator) in [("echo", echo), ("backpropagation through time", bptt)] {
        let epoch = || {
            for batch in train.batches(0, 0) {
                drop(estimator.estimate(&start, &batch.expect("in memory")));
            }
        };
        epoch();
        let clock = Instant::now();
        let ((), peak) = peak_of(epoch);
        let (seconds, kilobytes) = (clock.elapsed().as_secs_f64(), peak as f64 / 1e3);
        println!("{name:28} {seconds:>5.2} s {kilobytes:>11.0} kB");
    }

    println!("\n                     echo                                  backpropagation");
    println!("steps   format   error   residual     time     memory       time     memory");
    for n_steps in [100, 1000, 10_000] {
        let formats = [(DType::F64, 1e-6), (DType::F32, 1e-3)];
        let of = formats.map(|(dtype, _)| long(n_steps, dtype, &SequenceBptt));
        for ((dtype, epsilon), bptt) in formats.into_iter().zip(&of) {
            let echo = long(n_steps, dtype, &HamiltonianEcho::new(epsilon));
            // Compared with the exact gradient, which is the first of the two.
            let error = relative_error(&echo.gradient, &of[0].gradient);
            let (residual, format) = (echo.residual.unwrap_or_default(), format!("{dtype:?}"));
            println!(
                "{n_steps:<7} {format:7} {error:>6.0e} {residual:>10.0e} {} {}",
                echo.cost, bptt.cost
            );
        }
    }
    Ok(())
}

/// The gradient of a long sequence, and its cost.
struct Long {
    gradient: Vec<f64>,
    residual: Option<f64>,
    cost: String,
}

/// Converts every parameter to another number format.
struct Cast(DType);

impl ModuleMapper for Cast {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        parameter.map(|values| values.cast(self.0))
    }
}

fn relative_error(found: &[f64], expected: &[f64]) -> f64 {
    let squares = |pairs: &mut dyn Iterator<Item = f64>| pairs.map(|x| x * x).sum::<f64>().sqrt();
    let apart = squares(&mut found.iter().zip(expected).map(|(a, b)| a - b));
    apart / squares(&mut expected.iter().copied())
}

/// Computes the gradient of two sequences of noise that drive 8 weakly coupled oscillators: stronger coupling
/// makes them chaotic, and then rounding errors grow exponentially, as the gradient itself does.
fn long(
    n_steps: usize,
    dtype: DType,
    estimator: &dyn SequenceEstimator<CoupledOscillators, SquaredError>,
) -> Long {
    let device = Device::default();
    device.seed(1);
    let weak = InitializerConfig::FanIn { gain: 0.5 };
    let oscillators = CoupledOscillatorsConfig::new(2, 8, 8).with_coupling(weak);
    let system = HamiltonianSystem::new(oscillators.init(&device), LeapfrogConfig::new(0.1, 1));
    let network = SequenceNetwork::new(vec![system], SquaredError);
    let network = network.map(&mut Cast(dtype));
    let input: Tensor<2> =
        Tensor::random([2, 2 * n_steps], Distribution::Uniform(-1.0, 1.0), &device);
    let batch = Batch::new(input.cast(dtype), Tensor::zeros([2, 8], (&device, dtype)));
    let clock = Instant::now();
    let (estimate, peak) = peak_of(|| estimator.estimate(&network, &batch));
    let (seconds, kilobytes) = (clock.elapsed().as_secs_f64(), peak as f64 / 1e3);
    let found = eqprop_train::estimator::gradient_vectors(&network, &estimate.gradients);
    let numbers = found.into_iter().filter_map(|(_, gradient)| gradient);
    Long {
        gradient: numbers
            .flat_map(|g| g.into_data().iter::<f64>().collect::<Vec<_>>())
            .collect(),
        residual: estimate
            .residual
            .map(|residual| residual.max().into_scalar::<f64>()),
        cost: format!("{seconds:>6.2} s {kilobytes:>7.0} kB"),
    }
}
