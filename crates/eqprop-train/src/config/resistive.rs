//! The resistive network of a training configuration.

use burn::tensor::Device;
use eqprop_core::connection::ConnectionKind;
use eqprop_core::energy::{ResistiveNetwork, ResistiveNetworkConfig, VectorField};
use eqprop_core::error::ConfigError;
use rand_chacha::ChaCha12Rng;

use super::{TrainingConfig, redraw};

impl TrainingConfig {
    /// The layers of [`energy`](Self::energy) as a resistive network, without the gains of single
    /// connections, which [`network`](Self::network) draws conductances with.
    ///
    /// # Errors
    /// If some connection is not a dense one from a layer to the next.
    ///
    /// # Panics
    /// As [`energy`](Self::energy).
    pub fn resistive(&self) -> Result<ResistiveNetworkConfig, ConfigError> {
        let energy = self.energy();
        let mut connections = energy.connections.iter().enumerate();
        let unfit = connections.find(|(index, connection)| {
            let ends = (connection.from, connection.to);
            connection.kind != ConnectionKind::Dense || ends != (*index, *index + 1)
        });
        if let Some((connection, _)) = unfit {
            let needed = "the model \"hopfield\": the resistors of a resistive network join every \
                          unit of a layer with every unit of the next, and no others";
            let needed = needed.to_string();
            return Err(ConfigError::DoesNotFit { connection, needed });
        }
        Ok(ResistiveNetworkConfig {
            n_inputs: energy.input.n_units(),
            layers: energy.layers,
            input_gain: self.input_gain,
            initializer: self.initializer,
        })
    }

    pub(super) fn new_resistive(&self, rng: &mut ChaCha12Rng, device: &Device) -> ResistiveNetwork {
        let config = self.resistive().unwrap_or_else(|error| panic!("{error}"));
        let mut network = config.init(device);
        let configs = self.energy().connections;
        for (connection, config) in network.connections.iter_mut().zip(configs) {
            let [n_in, n_out] = connection.conductance.val().dims();
            let bound = config.initializer.bound(n_in, n_out);
            redraw(&mut connection.conductance, bound, rng);
        }
        network.project()
    }
}
