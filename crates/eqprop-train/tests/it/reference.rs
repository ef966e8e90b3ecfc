//! The estimator against independent numbers; see `tests/reference/README.md`.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use eqprop_core::activation::Activation;
use eqprop_core::connection::InitializerConfig;
use eqprop_core::cost::CostConfig;
use eqprop_core::energy::HopfieldEnergyConfig;
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_train::batch::Batch;
use eqprop_train::estimator::{EquilibriumPropagation, GradientEstimator};
use eqprop_train::network::EquilibriumNetwork;
use serde::Deserialize;

use crate::setup::{Network, distance, values};

#[derive(Deserialize)]
struct Array {
    shape: Vec<usize>,
    data: Vec<f64>,
}

#[derive(Deserialize)]
struct Reference {
    beta: f64,
    sizes: Vec<usize>,
    readout: usize,
    params: BTreeMap<String, Array>,
    input: Array,
    labels: Vec<usize>,
    gradients: BTreeMap<String, BTreeMap<String, Array>>,
}

/// The names in the file, in the order of the network's fields.
const NAMES: [&str; 6] = ["W0", "W1", "b0", "b1", "W_readout", "b_readout"];

impl Reference {
    fn read(file: &str) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference");
        let text = std::fs::read_to_string(format!("{folder}/{file}")).expect(file);
        serde_json::from_str(&text).expect(file)
    }

    fn in_order(arrays: &BTreeMap<String, Array>) -> Vec<f64> {
        let present = NAMES.iter().filter_map(|&name| arrays.get(name));
        present.flat_map(|array| array.data.clone()).collect()
    }

    fn network(&self) -> Network {
        let (device, boxed) = (Device::flex(), Activation::HardSigmoid);
        let energy =
            HopfieldEnergyConfig::dense(&self.sizes, boxed, boxed, InitializerConfig::Glorot);
        let which = match self.readout {
            0 => CostConfig::SquaredError,
            _ => CostConfig::CrossEntropy,
        };
        let cost = which.init(self.sizes[2], self.readout, &device);
        let network = EquilibriumNetwork::new(energy.init(&device), cost);
        network.map(&mut Fill(Self::in_order(&self.params).into_iter()))
    }

    fn batch(&self) -> Batch {
        let shape = [self.input.shape[0], self.input.shape[1]];
        let n_classes = if self.readout > 0 {
            self.readout
        } else {
            self.sizes[2]
        };
        let mut target = vec![0.0; self.labels.len() * n_classes];
        for (row, &label) in self.labels.iter().enumerate() {
            target[row * n_classes + label] = 1.0;
        }
        let tensor = |data, shape| Tensor::from_data(TensorData::new(data, shape), &Device::flex());
        Batch::new(
            tensor(self.input.data.clone(), shape),
            tensor(target, [shape[0], n_classes]),
        )
    }
}

/// Takes the numbers of every parameter from one list.
struct Fill(std::vec::IntoIter<f64>);

impl ModuleMapper for Fill {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.lazy_shape();
        let numbers: Vec<f64> = self.0.by_ref().take(shape.num_elements()).collect();
        let data = TensorData::new(numbers, shape);
        Param::initialized(param.id, Tensor::from_data(data, &Device::flex()))
    }
}

struct Listed<'a>(&'a GradientsParams, Vec<f64>);

impl ModuleVisitor for Listed<'_> {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        let gradient = self.0.get::<D>(parameter.id).expect("a gradient");
        self.1.extend(values(&gradient));
    }
}

fn check(file: &str) {
    let reference = Reference::read(file);
    let (network, batch, beta) = (reference.network(), reference.batch(), reference.beta);
    let phase = || Relaxation::steps(Scheme::Asynchronous, 200);
    let cases = [
        ("positive", Nudging::OneSided { beta }),
        ("negative", Nudging::OneSided { beta: -beta }),
        ("centered", Nudging::Centered { beta }),
    ];
    let expected = |of: &str| Reference::in_order(&reference.gradients[of]);
    let largest = expected("centered")
        .iter()
        .fold(1.0, |most: f64, g| most.max(g.abs()));
    // One rounding in f32 is 6e-8, sums of some ten terms make it 1e-6, and division by
    // β = 0.01 makes that 1e-4.
    let tolerance = 1e-4 * largest;
    for (of, nudging) in cases {
        let estimator = EquilibriumPropagation::new(nudging, phase(), phase());
        let estimate = estimator.estimate(&network, &batch, None);
        let mut found = Listed(&estimate.gradients, Vec::new());
        network.visit(&mut found);
        for (other, _) in cases {
            let off = distance(&found.1, &expected(other));
            if other == of {
                assert!(off <= tolerance, "{file}, {of}: off by {off:e}");
            } else {
                // One-sided and centered estimates differ by some β.
                assert!(off > 10.0 * tolerance, "{file}, {of} and {other}: {off:e}");
            }
        }
        let flipped: Vec<f64> = found.1.iter().map(|g| -g).collect();
        assert!(
            distance(&flipped, &expected(of)) > 1000.0 * tolerance,
            "{file}, {of} flipped"
        );
    }
}

#[test]
fn the_squared_error_estimate_agrees_with_the_reference() {
    check("dense_1_hidden.json");
}

#[test]
fn the_cross_entropy_estimate_agrees_with_the_reference() {
    check("dense_softmax_readout.json");
}
