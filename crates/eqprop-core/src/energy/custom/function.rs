//! An energy given as a function.

use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;

use crate::gradients::Gradients;
use crate::state::State;

/// An energy `E(θ, x, s)` given as a function, for a [`CustomEnergy`](super::CustomEnergy).
///
/// The parameters θ are those of the module. Only [`energy`](Self::energy) is required; its derivatives come
/// from Burn's autodiff. Derivatives known in closed form can be supplied one by one, for speed;
/// [`CustomEnergy::check_closed_forms`](super::CustomEnergy::check_closed_forms) compares them with autodiff.
///
/// ```
/// use burn::module::{Module, Param};
/// use burn::tensor::{Device, Distribution, Tensor};
/// use eqprop_core::activation::Activation;
/// use eqprop_core::energy::{CustomEnergy, EnergyFunction, LayerConfig};
/// use eqprop_core::state::State;
///
/// /// `E = ½|s|² − x W sᵀ − λ Σ s³`, with λ learned.
/// #[derive(Module, Debug)]
/// struct Cubic {
///     weight: Param<Tensor<2>>,
///     lambda: Param<Tensor<1>>,
/// }
///
/// impl EnergyFunction for Cubic {
///     fn energy(&self, input: &Tensor<2>, state: &State) -> Tensor<1> {
///         let s = state.output().clone();
///         let potential = Activation::HardSigmoid.potential(s.clone());
///         let drive = input.clone().matmul(self.weight.val());
///         let cubic = s.clone() * s.clone() * s.clone() * self.lambda.val().unsqueeze();
///         potential - (drive * s + cubic).sum_dim(1).squeeze_dim(1)
///     }
/// }
///
/// let device = Device::default();
/// let cubic = Cubic {
///     weight: Param::from_tensor(Tensor::random([4, 2], Distribution::Default, &device)),
///     lambda: Param::from_tensor(Tensor::full([1], 0.1, &device)),
/// };
/// let energy = CustomEnergy::new(cubic, [LayerConfig::new(2, Activation::HardSigmoid)]);
/// # let _ = energy;
/// ```
pub trait EnergyFunction: Module + ModuleDisplay + 'static {
    /// Computes the energy `E` of each example, including the potentials of the layers: for a layer
    /// with activation `σ_k`, the [`potential`](crate::activation::Activation::potential) of its values
    /// makes the fixed-point step exact; see [`CustomEnergy`](super::CustomEnergy).
    ///
    /// It must not mix the examples of a batch, and must use operations that Burn differentiates. A
    /// batch may consist of several copies of the clamped one.
    ///
    /// In `f64` it should multiply by a reciprocal instead of dividing by a number: Burn's autodiff
    /// takes the reciprocal of a scalar divisor in `f32`.
    ///
    /// # Shapes
    /// - `input`: `[batch, n_inputs]`, layers of `state`: `[batch, n_units]`, output: `[batch]`
    fn energy(&self, input: &Tensor<2>, state: &State) -> Tensor<1>;

    /// Computes the drive `σ_k⁻¹(s_k) − ∂E/∂s_k` of free layer `layer`, `[batch, n_units]`, if there is
    /// a closed form.
    fn drive(&self, _layer: usize, _input: &Tensor<2>, _state: &State) -> Option<Tensor<2>> {
        None
    }

    /// Computes [`crate::energy::VectorField::contrast`], if there is a closed form.
    fn contrast(
        &self,
        _input: &Tensor<2>,
        _first: &State,
        _second: &State,
        _scale: f64,
    ) -> Option<Gradients> {
        None
    }

    /// Computes [`crate::energy::VectorField::input_contrast`], if there is a closed form.
    fn input_contrast(
        &self,
        _input: &Tensor<2>,
        _first: &State,
        _second: &State,
        _scale: f64,
    ) -> Option<Tensor<2>> {
        None
    }
}
