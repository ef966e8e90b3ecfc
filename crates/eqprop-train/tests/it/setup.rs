//! Small runs on the bundled digits, and parameters as lists of numbers.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor};
use eqprop_core::activation::Activation;
use eqprop_core::connection::InitializerConfig;
use eqprop_core::cost::AnyCost;
use eqprop_core::energy::HopfieldEnergy;
use eqprop_core::nudging::Nudging;
use eqprop_train::batch::{Batch, BatchLoader, Order};
use eqprop_train::config::{
    DataConfig, NetworkConfig, OptimizerConfig, PhaseConfig, TrainingConfig,
};
use eqprop_train::data::{Dataset, DatasetKind, Examples};
use eqprop_train::network::EquilibriumNetwork;
use eqprop_train::training::Training;

use burn::data::dataloader::DataLoader;

pub type Network = EquilibriumNetwork<HopfieldEnergy, AnyCost>;

/// 64-16-10 with steps enough for a converged free phase; learns within a few epochs.
pub fn config() -> TrainingConfig {
    TrainingConfig::new(
        DataConfig::new(DatasetKind::Digits),
        NetworkConfig::new(vec![16.into()])
            .with_output_activation(Activation::Identity)
            .with_initializer(InitializerConfig::FanIn { gain: 0.5 }),
        PhaseConfig::new(Nudging::Centered { beta: 0.5 }, 15, 6),
        OptimizerConfig::new(vec![0.1, 0.02]),
        8,
        4,
    )
}

/// A configuration with fields replaced by name.
pub fn with(config: TrainingConfig, overrides: &[(&str, &str)]) -> TrainingConfig {
    let changed = config.with_overrides(overrides.iter().copied());
    changed.unwrap_or_else(|error| panic!("{}", chain(&error)))
}

/// The digits, cut to the first `n_train` and `n_test` examples.
pub fn digits(n_train: usize, n_test: usize) -> Dataset {
    let digits = Dataset::load(DatasetKind::Digits, None).expect("the digits are built in");
    let (train, test) = (digits.train.take(n_train), digits.test.take(n_test));
    Dataset::new(digits.kind, train, test)
}

pub fn loader(examples: &Examples, batch_size: usize, order: Order) -> BatchLoader {
    BatchLoader::new(examples, batch_size, order, &Device::flex())
}

/// The first `n` digits.
pub fn batch(n: usize) -> Batch {
    let batches = loader(&digits(n, 0).train, n, Order::Sequential);
    let batch = batches.iter().next().expect("one batch");
    batch.expect("in memory")
}

pub fn training(config: TrainingConfig, dataset: &Dataset) -> Training {
    Training::new(config, dataset, &Device::flex()).expect("a configuration that works")
}

/// The numbers of a tensor, row by row.
pub fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    tensor.clone().into_data().iter::<f64>().collect()
}

/// The path and the numbers of every float parameter, in the order of the fields.
pub fn parameters<M: Module>(module: &M) -> Vec<(String, Vec<f64>)> {
    #[derive(Default)]
    struct Lists {
        path: Vec<String>,
        found: Vec<(String, Vec<f64>)>,
    }

    impl ModuleVisitor for Lists {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_string());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let numbers = values(&parameter.val().without_autodiff());
            self.found.push((self.path.join("."), numbers));
        }
    }

    let mut lists = Lists::default();
    module.visit(&mut lists);
    lists.found
}

/// The id of every float parameter, in the order of [`parameters`].
pub fn ids<M: Module>(module: &M) -> Vec<ParamId> {
    struct Ids(Vec<ParamId>);

    impl ModuleVisitor for Ids {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            self.0.push(parameter.id);
        }
    }

    let mut ids = Ids(Vec::new());
    module.visit(&mut ids);
    ids.0
}

/// The group of learning rates that a parameter belongs to: its layer, or `n_layers` for the
/// readout.
pub fn group_of(path: &str, n_layers: usize) -> usize {
    match path.split('.').collect::<Vec<_>>()[..] {
        [
            "network",
            "energy",
            _,
            "connections" | "biases" | "feedback",
            layer,
            ..,
        ]
        | [
            "network",
            "energy",
            _,
            "forward",
            "connections" | "biases",
            layer,
            ..,
        ] => layer.parse().expect(path),
        ["network", "cost", ..] => n_layers,
        _ => panic!("unknown parameter {path}"),
    }
}

/// The largest difference of two lists of numbers; not a number if an entry is not.
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    differences.fold(
        0.0,
        |most: f64, d| if d > most || d.is_nan() { d } else { most },
    )
}

/// An error with all that caused it, as a program prints it.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
