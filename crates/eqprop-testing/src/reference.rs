//! The independent numbers of `tests/reference`; see the README there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::connection::InitializerConfig;
use eqprop_core::cost::CostConfig;
use eqprop_core::energy::HopfieldEnergyConfig;
use eqprop_core::state::State;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::list::Lists;
use crate::network::connection;
use crate::setup::Setup;

/// A tensor of a file, row by row.
#[derive(Deserialize)]
pub struct Array {
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its numbers.
    pub data: Vec<f64>,
}

/// Arrays by the names of their parameters.
pub type ByName = BTreeMap<String, Array>;

/// An equilibrium.
#[derive(Deserialize)]
pub struct Equilibrium {
    /// The layers.
    pub state: Vec<Array>,
    /// The energy of each example, for the free equilibrium.
    pub energy: Option<Array>,
    /// The cost of each example, for the free equilibrium.
    pub cost: Option<Array>,
}

/// The numbers of a file.
#[derive(Deserialize)]
pub struct Reference {
    /// The nudging factor.
    pub beta: f64,
    /// The parameters.
    pub params: ByName,
    /// The examples.
    pub input: Array,
    /// Their classes.
    pub labels: Vec<usize>,
    /// The free equilibrium.
    pub free: Equilibrium,
    /// The nudged ones, by the sign of β.
    pub nudged: BTreeMap<String, Equilibrium>,
    /// Gradients by estimation method.
    pub gradients: BTreeMap<String, ByName>,
}

/// The folder `tests` of the project: where it was built or, on another machine, above the working directory
/// of the tests.
fn tests() -> PathBuf {
    let built = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests"));
    let here = std::env::current_dir().unwrap_or_default();
    let mut folders = here.ancestors().map(|folder| folder.join("tests"));
    let holds = |folder: &PathBuf| folder.join("reference").is_dir();
    match built.is_dir() {
        true => built.to_path_buf(),
        false => folders
            .find(holds)
            .expect("a folder `tests` with `reference` in it"),
    }
}

/// Returns the path of a file of `tests/weights`, beside the script that made it.
pub fn published(name: &str) -> PathBuf {
    tests().join("weights").join(name)
}

/// Reads a file of `tests/reference`.
pub fn read_reference<T: DeserializeOwned>(file: &str) -> T {
    let text = std::fs::read_to_string(tests().join("reference").join(file)).expect(file);
    serde_json::from_str(&text).expect(file)
}

impl Reference {
    /// Returns the examples as rows.
    pub fn input(&self, setup: &Setup) -> Tensor<2> {
        let (n, data) = (self.input.shape[0], &self.input.data);
        setup.tensor(data.clone(), [n, data.len() / n])
    }

    /// Returns a state within 0.01 of the file's free state.
    pub fn near_free_state(&self, rest: &State, setup: &Setup) -> State {
        let near = |(rest, free): (&Tensor<2>, &Array)| {
            setup.tensor(free.data.clone(), rest.dims()) * 0.99 + rest.clone() * 0.01
        };
        let layers = rest.layers().iter().zip(&self.free.state);
        State::new(layers.map(near).collect())
    }
}

/// The network of a file of dense layers.
#[derive(Deserialize)]
pub struct Chain {
    /// Units of the input and of each layer.
    pub sizes: Vec<usize>,
    /// The ends of a skip connection. One example of the network that has it has several minima, and
    /// from the initial state only the steps that the file was made with lead to its.
    pub skip: Option<(usize, usize)>,
    output: String,
    readout: usize,
}

impl Chain {
    /// Returns the names of the energy's parameters, in the order of its fields.
    pub fn names(&self) -> Vec<String> {
        let n = self.sizes.len() - 1;
        let skip = self.skip.map(|_| "W_skip".to_owned());
        let weights = (0..n).map(|k| format!("W{k}")).chain(skip);
        weights.chain((0..n).map(|k| format!("b{k}"))).collect()
    }

    /// Returns the names of the cost's parameters, in the order of its fields.
    pub fn readout(&self) -> Vec<String> {
        let names = ["W_readout", "b_readout"].into_iter();
        names
            .filter(|_| self.readout > 0)
            .map(str::to_owned)
            .collect()
    }

    /// Returns the arrays in the order of the network's fields.
    pub fn lists(&self, arrays: &ByName) -> Lists {
        let names = self.names().into_iter().chain(self.readout());
        names.map(|name| arrays[&name].data.clone()).collect()
    }

    /// Returns the layers and connections.
    pub fn config(&self) -> HopfieldEnergyConfig {
        let output = match self.output.as_str() {
            "boxed" => Activation::HardSigmoid,
            _ => Activation::Identity,
        };
        let hidden = Activation::HardSigmoid;
        let initializer = InitializerConfig::Glorot;
        let mut config = HopfieldEnergyConfig::dense(&self.sizes, hidden, output, initializer);
        let skip = self.skip.map(|(from, to)| connection(from, to));
        config.connections.extend(skip);
        config
    }

    /// Returns the cost.
    pub fn cost(&self) -> CostConfig {
        match self.readout {
            0 => CostConfig::SquaredError,
            _ => CostConfig::CrossEntropy,
        }
    }

    /// Returns the number of output units.
    pub fn n_outputs(&self) -> usize {
        self.sizes[self.sizes.len() - 1]
    }

    /// Returns the number of classes.
    pub fn n_classes(&self) -> usize {
        match self.readout {
            0 => self.n_outputs(),
            n_classes => n_classes,
        }
    }
}
