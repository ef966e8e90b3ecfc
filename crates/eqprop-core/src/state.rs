//! The state: one tensor per free layer.

use core::sync::atomic::{AtomicU64, Ordering};

use burn::tensor::{Device, Tensor};

/// The values of all free layers, for a batch of examples that relax independently.
///
/// Every layer is stored as `[batch, n_units]`, whatever its spatial shape: a connection that needs
/// channels and rows reshapes it, which costs nothing. Clones share the tensors.
#[derive(Debug, Clone)]
pub struct State {
    layers: Vec<Tensor<2>>,
    versions: Vec<Version>,
}

/// Identifies the value of a layer: layers of the same version hold the same numbers, so that results
/// computed from one hold for the other. Layers of different versions may be equal too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    id: u64,
    n_repeats: usize,
}

impl Version {
    /// The version of a value that no layer has had yet.
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            n_repeats: 1,
        }
    }
}

impl State {
    /// Creates a state from the tensors of its layers, in the order of the energy's layers.
    ///
    /// # Panics
    /// If there is no layer, or the batch axes differ.
    pub fn new(layers: Vec<Tensor<2>>) -> Self {
        let batch = layers
            .first()
            .expect("a state has at least one layer")
            .dims()[0];
        for (index, layer) in layers.iter().enumerate() {
            let found = layer.dims()[0];
            assert_eq!(
                found, batch,
                "layer {index} holds {found} examples, layer 0 holds {batch}"
            );
        }
        let versions = layers.iter().map(|_| Version::new()).collect();
        Self { layers, versions }
    }

    /// Returns the free layers, first to last; the last one is the output.
    pub fn layers(&self) -> &[Tensor<2>] {
        &self.layers
    }

    /// Returns layer `index`, counted from 0 among the free layers.
    ///
    /// # Shapes
    /// - output: `[batch, n_units]`
    pub fn layer(&self, index: usize) -> &Tensor<2> {
        &self.layers[index]
    }

    /// Replaces layer `index`.
    pub fn set(&mut self, index: usize, value: Tensor<2>) {
        self.layers[index] = value;
        self.versions[index] = Version::new();
    }

    /// Returns the version of layer `index`: clones share it, and repeating layers of one version gives
    /// layers of one version again.
    pub fn version(&self, index: usize) -> Version {
        self.versions[index]
    }

    /// Returns the last layer.
    pub fn output(&self) -> &Tensor<2> {
        self.layers.last().expect("a state has at least one layer")
    }

    /// Returns the number of examples.
    pub fn batch_size(&self) -> usize {
        self.output().dims()[0]
    }

    /// Returns the device that holds the state.
    pub fn device(&self) -> Device {
        self.output().device()
    }

    /// The state with each layer repeated `n` times along the batch axis by `repeat`.
    pub(crate) fn repeated_by(
        &self,
        n: usize,
        repeat: impl Fn(&Tensor<2>, usize) -> Tensor<2>,
    ) -> Self {
        let version = |version: &Version| Version {
            n_repeats: version.n_repeats * n,
            ..*version
        };
        let layers = self.layers.iter();
        Self {
            layers: layers.map(|layer| repeat(layer, n)).collect(),
            versions: self.versions.iter().map(version).collect(),
        }
    }

    /// Returns examples `start .. start + length` of the batch.
    pub fn narrow(&self, start: usize, length: usize) -> Self {
        if start == 0 && length == self.batch_size() {
            return self.clone();
        }
        self.map(|layer| layer.clone().narrow(0, start, length))
    }

    /// Returns the state whose layers are `f` of these, with new versions.
    ///
    /// # Panics
    /// If the batch axes differ.
    pub fn map(&self, f: impl FnMut(&Tensor<2>) -> Tensor<2>) -> Self {
        Self::new(self.layers.iter().map(f).collect())
    }

    /// Returns the largest absolute difference of any unit to `other` for each example; NaN if a unit
    /// of either is NaN.
    ///
    /// # Shapes
    /// - output: `[batch]`
    pub fn max_distance(&self, other: &Self) -> Tensor<1> {
        let largest = self.layers.iter().zip(&other.layers).map(|(a, b)| {
            let distance = (a.clone() - b.clone()).abs();
            // A maximum may pass over NaN, a sum does not: 0 · sum adds NaN or nothing.
            distance.clone().max_dim(1) + distance.sum_dim(1) * 0.0
        });
        largest
            .reduce(|a, b| a.max_pair(b.clone()) + b * 0.0)
            .expect("a state has at least one layer")
            .squeeze_dim(1)
    }
}
