//! The input as a free layer.

use burn::module::Param;
use burn::tensor::Tensor;

use super::HopfieldEnergy;
use crate::connection::Connection;
use crate::energy::graph::color;
use crate::layer::LayerConfig;

impl HopfieldEnergy {
    /// Returns the same network with its input as the first free layer: the energy is a function of the input
    /// as of any other layer. The connections keep their parameters; the biases of the new layer are 0. Free
    /// layer `k` of the network becomes free layer `k + 1`.
    ///
    /// ```text
    /// E'(θ, x, s) = G(x) + E(θ, x, s)
    /// ```
    ///
    /// With other units [clamped](crate::energy::PartlyClamped), the input of a trained network relaxes:
    /// clamp the output to see what a class looks like to the network. The potential `G` of the input, which
    /// no training has seen, is that of the activation of `input`: the hard sigmoid keeps it in [0, 1].
    ///
    /// # Panics
    /// If the number of units of `input` differs from that of the input of a dense connection.
    pub fn with_free_input(mut self, input: LayerConfig) -> Self {
        for (connection, &(from, to)) in self.connections.iter().zip(&self.ends) {
            if let (0, Connection::Dense(dense)) = (from, connection) {
                let ([n_inputs, _], found) = (dense.weight.val().dims(), input.n_units());
                assert_eq!(
                    found, n_inputs,
                    "the connection into layer {to} leads from {n_inputs} units, but the input has {found}"
                );
            }
        }
        let device = self.biases[0].val().device();
        let dtype = self.biases[0].val().dtype();
        let zeros = Tensor::zeros([input.shape.n_biases()], (&device, dtype));
        self.biases.insert(0, Param::from_tensor(zeros));
        self.layers.insert(0, input);
        for (from, to) in &mut self.ends {
            (*from, *to) = (*from + 1, *to + 1);
        }
        self.groups = color(self.layers.len(), &self.ends);
        self
    }
}
