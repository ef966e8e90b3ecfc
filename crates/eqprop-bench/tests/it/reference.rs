//! The independent numbers of `tests/reference`; see the README there.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};
use eqprop_core::activation::Activation;
use eqprop_core::connection::InitializerConfig;
use eqprop_core::cost::CostConfig;
use eqprop_core::energy::{HopfieldEnergyConfig, VectorField};
use eqprop_core::state::State;
use eqprop_train::batch::Batch;
use eqprop_train::network::EquilibriumNetwork;
use serde::Deserialize;

use crate::setup::{Lists, Network, Setup, connection, filled};

const FILES: [&str; 5] = [
    "dense_1_hidden.json",
    "dense_3_hidden.json",
    "dense_linear_output.json",
    "dense_skip.json",
    "dense_softmax_readout.json",
];

#[derive(Deserialize)]
struct Array {
    shape: Vec<usize>,
    data: Vec<f64>,
}

#[derive(Deserialize)]
struct Free {
    state: Vec<Array>,
}

type ByName = BTreeMap<String, Array>;

#[derive(Deserialize)]
struct File {
    sizes: Vec<usize>,
    skip: Option<(usize, usize)>,
    output: String,
    readout: usize,
    params: ByName,
    input: Array,
    labels: Vec<usize>,
    free: Free,
    gradients: BTreeMap<String, ByName>,
}

/// A network with the gradient at its free equilibrium.
pub struct Reference {
    pub file: &'static str,
    pub network: Network,
    pub batch: Batch,
    /// Where the free phase starts: at rest, or within 0.01 of the file's free state. One
    /// example of the network with a skip has several minima, and from rest only the steps that
    /// the file was made with lead to its.
    pub start: Option<State>,
    /// Backpropagation through a converged relaxation, by another program.
    pub exact: Lists,
}

impl Reference {
    /// All files, in the number format of `setup`.
    pub fn all(setup: Setup) -> Vec<Self> {
        FILES.map(|file| Self::read(file, setup)).into()
    }

    /// All files but the one in which every hidden unit is clipped: its gradient ends at the
    /// output layer, and there is nothing to iterate.
    pub fn all_with_response(setup: Setup) -> Vec<Self> {
        let all = Self::all(setup).into_iter();
        let with_response: Vec<Self> = all
            .filter(|reference| reference.exact[0].iter().any(|g| *g != 0.0))
            .collect();
        assert_eq!(with_response.len(), FILES.len() - 1);
        with_response
    }

    fn read(file: &'static str, setup: Setup) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference");
        let text = std::fs::read_to_string(format!("{folder}/{file}")).expect(file);
        let found: File = serde_json::from_str(&text).expect(file);
        let network = found.network(setup);
        let batch = found.batch(setup);
        let rest = network.energy.rest(&batch.input);
        Self {
            file,
            start: found.skip.map(|_| found.near_the_free_state(&rest, setup)),
            exact: found.lists(&found.gradients["exact"]),
            network,
            batch,
        }
    }
}

impl File {
    /// The arrays in the order of the network's fields.
    fn lists(&self, arrays: &ByName) -> Lists {
        let n = self.sizes.len() - 1;
        let weights = (0..n).map(|k| format!("W{k}"));
        let skip = self.skip.map(|_| "W_skip".to_owned());
        let biases = (0..n).map(|k| format!("b{k}"));
        let readout = ["W_readout".to_owned(), "b_readout".to_owned()];
        let readout = readout.into_iter().filter(|_| self.readout > 0);
        let names = weights.chain(skip).chain(biases).chain(readout);
        names.map(|name| arrays[&name].data.clone()).collect()
    }

    fn n_outputs(&self) -> usize {
        self.sizes[self.sizes.len() - 1]
    }

    fn n_classes(&self) -> usize {
        match self.readout {
            0 => self.n_outputs(),
            n_classes => n_classes,
        }
    }

    fn network(&self, setup: Setup) -> Network {
        let (hidden, initializer) = (Activation::HardSigmoid, InitializerConfig::Glorot);
        let output = match self.output.as_str() {
            "boxed" => Activation::HardSigmoid,
            _ => Activation::Identity,
        };
        let mut energy = HopfieldEnergyConfig::dense(&self.sizes, hidden, output, initializer);
        let skip = self.skip.map(|(from, to)| connection(from, to));
        energy.connections.extend(skip);
        let cost = match self.readout {
            0 => CostConfig::SquaredError,
            _ => CostConfig::CrossEntropy,
        };
        let device = Device::flex();
        let cost = cost.init(self.n_outputs(), self.n_classes(), &device);
        let network = EquilibriumNetwork::new(energy.init(&device).into(), cost);
        let mut lists = self.lists(&self.params).into_iter();
        filled(network, setup, |n| {
            let list = lists.next().expect("a list per parameter");
            assert_eq!(list.len(), n);
            list
        })
    }

    fn batch(&self, setup: Setup) -> Batch {
        let shape = [self.input.shape[0], self.input.shape[1]];
        Batch::new(
            setup.tensor(self.input.data.clone(), shape),
            setup.one_hot(&self.labels, self.n_classes()),
        )
    }

    fn near_the_free_state(&self, rest: &State, setup: Setup) -> State {
        let near = |(rest, free): (&Tensor<2>, &Array)| {
            setup.tensor(free.data.clone(), rest.dims()) * 0.99 + rest.clone() * 0.01
        };
        let layers = rest.layers().iter().zip(&self.free.state);
        State::new(layers.map(near).collect())
    }
}
