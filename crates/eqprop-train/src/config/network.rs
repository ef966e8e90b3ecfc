//! New networks of a training configuration.

use burn::module::Param;
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use eqprop_core::connection::{Connection, InitializerConfig};
use eqprop_core::cost::AnyCost;
use eqprop_core::energy::{
    AnyField, FeedbackInitializer, HopfieldEnergy, ResistiveNetwork, UntiedHopfield,
    UntiedHopfieldConfig, VectorField,
};
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;

use super::{ModelKind, TrainingConfig};
use crate::network::EquilibriumNetwork;

impl TrainingConfig {
    /// A network with new weights, which depend on the seed alone: they are drawn here and not
    /// on the device, whose one stream of random numbers all threads share.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) fails.
    pub fn network(&self, device: &Device) -> EquilibriumNetwork<AnyField, AnyCost> {
        let mut rng = ChaCha12Rng::seed_from_u64(self.seed);
        let config = self.energy();
        let output = config.layers.last().expect("validated: there is a layer");
        let n_outputs = output.n_units();
        let energy = match self.model {
            ModelKind::Hopfield => self.new_hopfield(&mut rng, device).into(),
            ModelKind::Untied => self.new_untied(&mut rng, device).into(),
            ModelKind::PredictiveCoding => {
                let energy = self.new_hopfield(&mut rng, device);
                self.predictive_coding().with_parameters(energy).into()
            }
            ModelKind::Resistive => self.new_resistive(&mut rng, device).into(),
        };
        let n_classes = self.dataset.n_classes();
        let mut cost = self.cost.init(n_outputs, n_classes, device);
        if let AnyCost::CrossEntropy(readout) = &mut cost {
            let [n_in, n_out] = readout.weight.val().dims();
            let bound = InitializerConfig::Glorot.bound(n_in, n_out);
            redraw(&mut readout.weight, bound, &mut rng);
        }
        EquilibriumNetwork::new(energy, cost).with_start(self.start)
    }

    fn new_hopfield(&self, rng: &mut ChaCha12Rng, device: &Device) -> HopfieldEnergy {
        let config = self.energy();
        let mut energy = config.init(device);
        for (connection, config) in energy.connections.iter_mut().zip(&config.connections) {
            redraw_connection(connection, config.initializer, rng);
        }
        energy
    }

    fn new_untied(&self, rng: &mut ChaCha12Rng, device: &Device) -> UntiedHopfield {
        let config = self.energy();
        let untied = UntiedHopfieldConfig::new(config.clone())
            .with_update(self.feedback_update)
            .with_feedback(self.feedback_initializer);
        let mut field = untied.init_from(self.new_hopfield(rng, device), device);
        if self.feedback_initializer == FeedbackInitializer::Independent {
            // From a stream of their own, so that all else is drawn as without feedback.
            let mut rng = ChaCha12Rng::seed_from_u64(self.seed);
            rng.set_stream(1);
            for (feedback, config) in field.feedback.iter_mut().zip(&config.connections) {
                if let Some(feedback) = feedback {
                    redraw_connection(feedback, config.initializer, &mut rng);
                }
            }
        }
        field
    }

    fn new_resistive(&self, rng: &mut ChaCha12Rng, device: &Device) -> ResistiveNetwork {
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

/// New weights.
fn redraw_connection(
    connection: &mut Connection,
    initializer: InitializerConfig,
    rng: &mut ChaCha12Rng,
) {
    match connection {
        Connection::Dense(dense) => {
            let [n_in, n_out] = dense.weight.val().dims();
            redraw(&mut dense.weight, initializer.bound(n_in, n_out), rng);
        }
        Connection::Convolution(convolution) => {
            let [n_out, n_in, rows, columns] = convolution.kernel.val().dims();
            let area = rows * columns;
            let bound = initializer.bound(n_in * area, n_out * area);
            redraw(&mut convolution.kernel, bound, rng);
        }
        Connection::Identity(_) => {}
    }
}

/// New values, uniform in `±bound`.
fn redraw<const D: usize>(param: &mut Param<Tensor<D>>, bound: f64, rng: &mut ChaCha12Rng) {
    let uniform = Distribution::Uniform(-bound, bound);
    let values = TensorData::random::<f32, _, _>(param.val().dims(), uniform, rng);
    *param = param
        .clone()
        .map(|old| Tensor::from_data(values, &old.device()));
}
