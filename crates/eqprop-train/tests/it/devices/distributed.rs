//! Requirements of Burn's distributed data parallelism on the learner. Its collective operations run on CUDA
//! alone, where the last test trains with them; elsewhere the test takes the place of NCCL.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::data::dataloader::DataLoader;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Tensor, TensorData};
use burn::train::{Learner, TrainStep};
use eqprop_core::pullback::without_backward;
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_testing::{
    Numbers, Setup, batch, chain, config, custom, distance, loader, named_parameters, network, with,
};
use eqprop_train::batch::{Batch, Order};
use eqprop_train::data::Examples;
use eqprop_train::estimator::EquilibriumPropagation;
use eqprop_train::initial_state::InitialState;
use eqprop_train::learner::EquilibriumLearner;
use eqprop_train::learner::distributed::reduced;
use eqprop_train::optimizer::FusedSgdConfig;
use eqprop_train::prelude::{Activation, EquilibriumNetwork, Nudging, SquaredError};

use super::{BATCH, Model, RATE, halves_and_whole};

/// Updates of an epoch, and epochs: particles count from the second.
const UPDATES: usize = 10;
const EPOCHS: usize = 2;

/// Parameters of several ranks.
#[derive(Module, Debug)]
struct Ranks {
    one: Param<Tensor<1>>,
    frozen: Param<Tensor<2>>,
    four: Param<Tensor<4>>,
    without_gradient: Param<Tensor<1>>,
}

/// Numbers of all magnitudes.
fn tensor<const D: usize>(shape: [usize; D], seed: u64, device: &Device) -> Tensor<D> {
    let n = shape.iter().product();
    let exponents = Numbers(seed).list(n, -40.0, 25.0);
    let signs = Numbers(seed + 1).list(n, -1.0, 1.0);
    let numbers = exponents.iter().zip(&signs);
    let numbers: Vec<f32> = numbers.map(|(e, s)| (s * 10f64.powf(*e)) as f32).collect();
    Tensor::from_data(TensorData::new(numbers, shape), device)
}

fn bits<const D: usize>(gradients: &GradientsParams, parameter: &Param<Tensor<D>>) -> Vec<u32> {
    let gradient: Tensor<D> = gradients.get(parameter.id).expect("a gradient");
    assert!(!gradient.is_autodiff());
    let numbers = gradient.into_data();
    numbers.iter::<f32>().map(f32::to_bits).collect()
}

#[test]
fn a_backward_pass_hands_an_estimate_back_to_the_last_bit() {
    let device = Device::flex();
    let parameter = |seed| Param::from_tensor(tensor([3], seed, &device.clone().autodiff()));
    let module = Ranks {
        one: parameter(1),
        frozen: Param::from_tensor(tensor([2, 3], 2, &device.clone().autodiff())).no_grad(),
        four: Param::from_tensor(tensor([2, 3, 2, 2], 3, &device.clone().autodiff())),
        without_gradient: parameter(4),
    };
    let estimate = || {
        let mut gradients = GradientsParams::new();
        gradients.register(module.one.id, tensor([3], 5, &device));
        gradients.register(module.frozen.id, tensor([2, 3], 6, &device));
        gradients.register(module.four.id, tensor([2, 3, 2, 2], 7, &device));
        gradients
    };
    let (found, expected) = (reduced(estimate(), &module), estimate());
    assert_eq!(found.len(), 3);
    assert_eq!(bits(&found, &module.one), bits(&expected, &module.one));
    assert_eq!(
        bits(&found, &module.frozen),
        bits(&expected, &module.frozen)
    );
    assert_eq!(bits(&found, &module.four), bits(&expected, &module.four));
    assert!(reduced(GradientsParams::new(), &module).is_empty());
}

/// Gradients that NCCL returns to each replica: `scale` times the sum of those sent.
fn combined(sent: Vec<GradientsParams>, model: &Model, scale: f64) -> Vec<GradientsParams> {
    struct Combine {
        sent: Vec<GradientsParams>,
        scale: f64,
        combined: Vec<GradientsParams>,
    }

    impl ModuleVisitor for Combine {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let sent = self.sent.iter_mut();
            let sent = sent.map(|sent| sent.remove::<D>(parameter.id).expect("from each"));
            let sum = sent.reduce(|sum, term| sum + term).expect("a replica");
            for gradients in &mut self.combined {
                gradients.register(parameter.id, sum.clone() * self.scale);
            }
        }
    }

    let combined = sent.iter().map(|_| GradientsParams::new()).collect();
    let mut combine = Combine {
        sent,
        scale,
        combined,
    };
    model.visit(&mut combine);
    combine.combined
}

/// How a training reaches its parameters.
struct Way {
    name: &'static str,
    overrides: Vec<(&'static str, &'static str)>,
    start: InitialState,
    optimizer: ModuleOptimizer,
}

fn ways() -> Vec<Way> {
    let way = |name, start, optimizer| Way {
        name,
        overrides: vec![("hidden", "[32]")],
        start,
        optimizer,
    };
    let momentum = FusedSgdConfig::new().with_momentum(0.9);
    let mut one_sided = way("one-sided", InitialState::Rest, SgdConfig::new().init());
    one_sided
        .overrides
        .extend([("nudging", "one_sided"), ("beta", "0.2")]);
    vec![
        way("plain", InitialState::Rest, SgdConfig::new().init()),
        way("momentum", InitialState::Rest, momentum.init()),
        way("particles", InitialState::Particles, momentum.init()),
        one_sided,
    ]
}

impl Way {
    fn learner(&self, rate: f64, n_examples: usize) -> Learner<Model> {
        let config = with(config(), &self.overrides);
        let network = config.network(&Device::flex().autodiff());
        let model = EquilibriumLearner::new(network, config.estimator());
        let model = model.with_start(self.start, n_examples);
        Learner::new(model, self.optimizer.clone(), rate)
    }

    /// One device with the whole batches.
    fn alone(&self, whole: &Examples) -> Vec<f64> {
        let mut learner = self.learner(RATE, whole.len());
        let batches = loader(whole, 2 * BATCH, Order::Sequential);
        let batches = batches.slice(0, UPDATES * 2 * BATCH);
        for _ in 0..EPOCHS {
            for batch in batches.iter() {
                let output = learner.train_step(batch.expect("in memory"));
                learner.lr_step();
                learner.optimizer_step(output.grads);
            }
        }
        numbers(&learner)
    }

    /// A replica for each half, as Burn's workers run them: gradients go through a backward pass, and come back as
    /// `scale` times the sum over the replicas. The parameters of all of them.
    fn in_replicas(&self, halves: &Examples, rate: f64, scale: f64) -> [Vec<f64>; 2] {
        let batches = loader(halves, BATCH, Order::Sequential);
        let middle = halves.len() / 2;
        let part = |start| batches.slice(start, start + UPDATES * BATCH);
        let parts = [part(0), part(middle)];
        let first = self.learner(rate, halves.len());
        let mut replicas = [first.clone(), first];
        for replica in &mut replicas {
            replica.fork(&Device::flex().autodiff());
        }
        for _ in 0..EPOCHS {
            let [first, second] = parts.each_ref().map(|part| part.iter());
            for (first, second) in first.zip(second) {
                let sent = replicas
                    .iter()
                    .zip([first, second])
                    .map(|(replica, batch)| {
                        let output = replica.train_step(batch.expect("in memory"));
                        reduced(output.grads, &replica.model())
                    });
                let sent = sent.collect();
                let received = combined(sent, &replicas[0].model(), scale);
                for (replica, gradients) in replicas.iter_mut().zip(received) {
                    replica.lr_step();
                    replica.optimizer_step(gradients);
                }
            }
        }
        replicas.each_ref().map(numbers)
    }
}

fn numbers(learner: &Learner<Model>) -> Vec<f64> {
    let lists = named_parameters(&learner.model()).into_iter();
    lists.flat_map(|(_, numbers)| numbers).collect()
}

#[test]
fn replicas_with_half_a_batch_each_end_as_one_with_the_whole() {
    let (halves, whole) = halves_and_whole();
    for way in ways() {
        let expected = way.alone(&whole);
        let start = numbers(&way.learner(RATE, whole.len()));
        let moved = distance(&expected, &start);
        assert!(moved > 0.05, "{}: {moved:e}", way.name);
        // A mean takes the rate of one device, a sum half of it.
        for (rate, scale) in [(RATE, 0.5), (RATE / 2.0, 1.0)] {
            let [first, second] = way.in_replicas(&halves, rate, scale);
            assert_eq!(first, second, "{}", way.name);
            // Twenty roundings of weights of order 1 in f32 (6e-8 each), through as many relaxations.
            let off = distance(&first, &expected);
            assert!(off < 1e-5, "{}, times {scale}: {off:e}", way.name);
        }
        let [first, _] = way.in_replicas(&halves, RATE, 1.0);
        let off = distance(&first, &expected);
        assert!(off > 1e-3, "{}: {off:e}", way.name);
    }
}

/// Panic message of `work`.
#[track_caller]
fn panic_of(work: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(work)).expect_err("it should panic");
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.expect("panics carry text")
}

/// Before its gradients are reduced a replica may not run a backward pass, in which it would wait for the others.
#[test]
fn an_estimate_takes_no_backward_pass_where_the_field_needs_none() {
    let learner = ways()[0].learner(RATE, 8);
    without_backward("refused", || {
        // The leaves of autodiff are cleared in one step of 32.
        for _ in 0..40 {
            let _ = learner.train_step(batch(2));
        }
    });
}

#[test]
fn an_energy_that_asks_autodiff_is_refused_before_it_waits() {
    let setup = Setup::single();
    let energy = network(&chain(&[3, 2], Activation::Tanh), &setup, 0.5, 1);
    let phase = || Relaxation::steps(Scheme::Asynchronous, 2);
    let method = EquilibriumPropagation::new(Nudging::Centered { beta: 0.1 }, phase(), phase());
    let network = EquilibriumNetwork::new(custom(energy), SquaredError);
    let learner = EquilibriumLearner::new(network.train(), method);
    let step = || {
        let input = setup.tensor(vec![0.1, 0.2, 0.3], [1, 3]);
        let batch = Batch::new(input, setup.one_hot(&[1], 2));
        TrainStep::step(&learner, batch)
    };
    let said = panic_of(|| drop(without_backward("refused with a reason", step)));
    assert_eq!(said, "refused with a reason");
    // The panic is over.
    assert_eq!(step().grads.len(), 2);
}

/// A learner as a worker of `DistributedDataParallel` takes it over.
fn step_as_distributed(device: &Device) {
    let config = config();
    let network = config.network(&device.clone().autodiff());
    let model: Model = EquilibriumLearner::new(network, config.estimator());
    let rates = config.learning_rate(&model.network, 1);
    let mut learner = Learner::new(model, config.optimizer(), rates);
    let mut batch = batch(4);
    batch.input = batch.input.to_device(device);
    batch.target = batch.target.to_device(device);
    learner.train_step(batch.clone());
    learner.grad_sharded();
    learner.train_step(batch);
}

#[test]
fn distributed_data_parallelism_is_never_silent() {
    let said = panic_of(|| step_as_distributed(&Device::flex()));
    // Burn has no collective operations on this device, and says so first.
    assert!(said.contains("not supported for tensor kind"), "{said}");
}

#[cfg(feature = "wgpu")]
#[test]
fn distributed_data_parallelism_is_refused_where_burn_has_no_transport() {
    let device = Device::wgpu(burn::tensor::DeviceKind::DefaultDevice);
    let said = panic_of(|| step_as_distributed(&device));
    assert!(said.contains("DistributedDataParallel"), "{said}");
    assert!(said.contains("ExecutionStrategy::multi"), "{said}");
}

/// All GPUs of the machine, as many as there are digits for. One alone has nothing to add up, but goes all the way:
/// through the marks, the backward pass and NCCL.
#[cfg(feature = "cuda")]
#[test]
fn every_cuda_device_with_its_part_learns_as_one_with_the_whole() {
    use burn::tensor::DeviceType;
    use burn::tensor::distributed::{DistributedConfig, ReduceOperation};
    use burn::train::ExecutionStrategy;

    let mut devices = Device::enumerate(DeviceType::Cuda).into_vec();
    devices.truncate(5);
    let n = devices.len();
    let (parts, whole) = super::parts_and_whole(n);
    let one = ExecutionStrategy::single(devices[0].clone());
    let (expected, end) = super::train(one, &whole, n * BATCH, RATE);
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let (first, last) = (mean(&expected[..10]), mean(&expected[super::STEPS - 10..]));
    assert!(last < 0.9 * first, "{expected:?}");
    for (all_reduce_op, rate) in [
        (ReduceOperation::Mean, RATE),
        (ReduceOperation::Sum, RATE / n as f64),
    ] {
        let strategy = ExecutionStrategy::ddp(devices.clone(), DistributedConfig { all_reduce_op });
        let (found, parameters) = super::train(strategy, &parts, BATCH, rate);
        // Products may be of numbers with the ten bits of TF32.
        let (off, off_end) = (distance(&found, &expected), distance(&parameters, &end));
        assert!(off < 1e-3 && off_end < 1e-3, "{off:e}, {off_end:e}");
    }
}
