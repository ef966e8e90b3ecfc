//! A Hopfield network as a user-defined energy.

use burn::module::Module;
use burn::tensor::Tensor;
use eqprop_core::energy::{CustomEnergy, Energy, EnergyFunction, HopfieldEnergy, VectorField};
use eqprop_core::state::State;

/// The energy of a Hopfield network alone.
#[derive(Module, Debug)]
pub struct Function {
    /// The network.
    pub hopfield: HopfieldEnergy,
}

impl EnergyFunction for Function {
    fn energy(&self, input: &Tensor<2>, state: &State) -> Tensor<1> {
        let clamped = self.hopfield.clamp(input);
        self.hopfield.energy(&clamped, state)
    }
}

/// Creates a field of which only the energy is known: its drives come from a backward pass.
pub fn custom(hopfield: HopfieldEnergy) -> CustomEnergy<Function> {
    let layers = hopfield.layers().to_vec();
    CustomEnergy::new(Function { hopfield }, layers)
}
