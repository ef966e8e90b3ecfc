//! What the model is: an energy over states, given an input.

pub mod hopfield;
mod total;

use burn::module::{Module, ModuleDisplay};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::shape::LayerShape;
use crate::{activation::Activation, gradients::Gradients, state::State};
pub use hopfield::{HopfieldEnergy, HopfieldEnergyConfig};
pub use total::TotalEnergy;

/// Shape and activation of a free layer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerConfig {
    /// Number and arrangement of the units.
    pub shape: LayerShape,
    /// How the layer responds to its drive.
    pub activation: Activation,
}

impl LayerConfig {
    /// A layer of this shape and activation.
    pub fn new(shape: impl Into<LayerShape>, activation: Activation) -> Self {
        Self {
            shape: shape.into(),
            activation,
        }
    }

    /// The number of units.
    pub fn n_units(&self) -> usize {
        self.shape.n_units()
    }
}

/// An energy `E(θ, x, s)` whose minima over the state `s` are the network's equilibria.
///
/// The energy splits into one potential per layer and interactions, so that each layer has a
/// drive (see [`Activation`]):
///
/// ```text
/// drive_k = −∂(E − G_k)/∂s_k        s_k = σ_k(drive_k) minimizes E over s_k
/// ```
///
/// exactly where `drive_k` does not depend on `s_k` itself, and as a fixed-point step
/// otherwise.
///
/// An energy owns its parameters θ as a Burn [`Module`]; it never changes them. Free layers
/// are counted from 0 in the state. An input is first [clamped](Self::clamp), which computes
/// once what it contributes to every later step.
pub trait Energy: Module + ModuleDisplay {
    /// What stays constant while an input is clamped and the parameters are held.
    type Clamped: Clone;

    /// The free layers, first to last; the last one is the output.
    fn layers(&self) -> &[LayerConfig];

    /// Groups of layers such that no two layers of a group interact: minimizing over a whole
    /// group at once is then as exact as minimizing over one layer after the other.
    fn groups(&self) -> &[Vec<usize>];

    /// Clamps an input.
    ///
    /// # Shapes
    /// - `input`: `[batch, n_inputs]`
    fn clamp(&self, input: &Tensor<2>) -> Self::Clamped;

    /// The clamped input repeated `n` times along the batch axis, as [`State::repeat`].
    fn repeat(&self, clamped: &Self::Clamped, n: usize) -> Self::Clamped;

    /// The energy `E` of each example.
    ///
    /// # Shapes
    /// - output: `[batch]`
    fn energy(&self, clamped: &Self::Clamped, state: &State) -> Tensor<1>;

    /// The drive of free layer `layer`.
    ///
    /// # Shapes
    /// - output: `[batch, n_units]`
    fn drive(&self, layer: usize, clamped: &Self::Clamped, state: &State) -> Tensor<2>;

    /// `scale · mean over the batch of [∂E/∂θ(first) − ∂E/∂θ(second)]`, for every parameter.
    fn contrast(&self, input: &Tensor<2>, first: &State, second: &State, scale: f64) -> Gradients;

    /// The state that nothing has driven yet, see [`Activation::rest`]: the start of a free
    /// phase that has no better one. It has the data type of `input`.
    fn rest(&self, input: &Tensor<2>) -> State {
        let [batch, _] = input.dims();
        let device: Device = input.device();
        let layers = self.layers().iter().map(|layer| {
            let n_units = layer.n_units();
            let value = layer.activation.rest(n_units);
            Tensor::full([batch, n_units], value, (&device, input.dtype()))
        });
        State::new(layers.collect())
    }
}
