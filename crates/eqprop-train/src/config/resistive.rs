//! The resistive network of a training configuration.

use eqprop_core::connection::ConnectionKind;
use eqprop_core::energy::ResistiveNetworkConfig;
use eqprop_core::error::ConfigError;

use super::TrainingConfig;

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
}
