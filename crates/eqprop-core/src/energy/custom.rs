//! A user-defined energy, from one method.

mod closed_forms;
mod function;
mod slopes;

use core::fmt::Debug;

use burn::module::Module;
use burn::tensor::Tensor;

use super::field::{Energy, VectorField, input_slopes};
use crate::fused::operations::repeated;
use crate::gradients::Gradients;
use crate::layer::LayerConfig;
use crate::pullback::{is_tracked, joined, with_pullback};
use crate::state::State;
pub use closed_forms::{ClosedForm, ClosedFormError};
pub use function::EnergyFunction;

/// A user-defined energy, from an [`EnergyFunction`] and its layers.
///
/// The drives are such that the fixed-point step descends the energy,
///
/// ```text
/// drive_k = σ_k⁻¹(s_k) − ∂E/∂s_k        s_k ← σ_k(drive_k)
/// ```
///
/// a mirror-descent step of size 1 in the geometry of the potential `G_k`. If
/// `E = Σ G_k + interactions` and a layer does not interact with itself, it is the exact minimizer over
/// the layer. Otherwise it may overshoot where `E` is more than twice as curved as `G_k`:
/// [`GradientFlow`](crate::relaxation::Scheme::GradientFlow) with a small step size converges on any
/// smooth energy. The equilibria are the same in all schemes.
///
/// Each layer is a [group](VectorField::groups) of its own, which is correct for any energy.
///
/// # Differentiation
/// Drives, parameter gradients and input gradients are derivatives of the energy at one state, by
/// Burn's autodiff: nothing is unrolled, and memory does not grow with the steps of a relaxation. A
/// computation outside autodiff stays outside.
///
/// The drives themselves are differentiable, for estimators that differentiate through them
/// (backpropagation through time, recurrent backpropagation, the exact gradient). Burn's autodiff has
/// first derivatives only, so the backward pass of a drive is a central difference of derivatives along
/// the incoming vector `v`:
///
/// ```text
/// (∂drive_k/∂z)ᵀ v = 1/2ε · [∂Φ/∂z(s_k + εv) − ∂Φ/∂z(s_k − εv)],   Φ = G_k − E,   z = θ, x, s
/// ```
///
/// with an error of order ε², about 1e-10 in `f64` and 1e-4 in `f32`. A drive in closed form is
/// differentiated by Burn's autodiff instead.
///
/// # Cost
/// A drive costs one evaluation of the energy and its backward pass, for one layer. The contrast is the
/// difference of two derivatives: for states that differ by β it loses a factor of `1/β` in precision,
/// which the closed form of [`HopfieldEnergy`](super::HopfieldEnergy) does not.
#[derive(Module, Debug)]
pub struct CustomEnergy<F: EnergyFunction> {
    /// The energy, with all its parameters.
    pub function: F,
    #[module(skip)]
    layers: Vec<LayerConfig>,
    #[module(skip)]
    groups: Vec<Vec<usize>>,
}

impl<F: EnergyFunction> CustomEnergy<F> {
    /// Creates the energy `function` over these free layers, of which the last is the output.
    ///
    /// # Panics
    /// If there is no layer.
    pub fn new(function: F, layers: impl Into<Vec<LayerConfig>>) -> Self {
        let layers = layers.into();
        assert!(
            !layers.is_empty(),
            "a custom energy needs at least one layer"
        );
        Self {
            groups: (0..layers.len()).map(|layer| vec![layer]).collect(),
            function,
            layers,
        }
    }

    /// Computes `σ_k⁻¹(s_k) − ∂E/∂s_k` by autodiff; the result is outside autodiff.
    fn drive_by_autodiff(&self, layer: usize, input: &Tensor<2>, state: &State) -> Tensor<2> {
        let activation = self.layers[layer].activation;
        let inverse = activation.inverse(state.layer(layer).clone());
        inverse - slopes::of_layer(&self.function, layer, input, state)
    }
}

impl<F: EnergyFunction> VectorField for CustomEnergy<F> {
    type Clamped = Tensor<2>;

    fn layers(&self) -> &[LayerConfig] {
        &self.layers
    }

    fn groups(&self) -> &[Vec<usize>] {
        &self.groups
    }

    fn clamp(&self, input: &Tensor<2>) -> Tensor<2> {
        input.clone()
    }

    fn repeat(&self, input: &Tensor<2>, n: usize) -> Tensor<2> {
        repeated(input, n)
    }

    fn drive(&self, layer: usize, input: &Tensor<2>, state: &State) -> Tensor<2> {
        if let Some(drive) = self.function.drive(layer, input, state) {
            return drive;
        }
        let tensors = [input].into_iter().chain(state.layers());
        if !is_tracked(&self.function, tensors.clone()) {
            return self.drive_by_autodiff(layer, input, state);
        }
        let tensors: Vec<_> = tensors.cloned().collect();
        let parent = joined(&self.function, &tensors);
        let plain = Self {
            function: self.function.valid(),
            ..self.clone()
        };
        let input = input.clone().without_autodiff();
        let state = state.map(|layer| layer.clone().without_autodiff());
        let drive = plain.drive_by_autodiff(layer, &input, &state);
        let activation = self.layers[layer].activation;
        with_pullback(drive, parent, move |vector| {
            slopes::of_drive(&plain.function, layer, activation, &input, &state, vector)
        })
    }

    fn contrast(&self, input: &Tensor<2>, first: &State, second: &State, scale: f64) -> Gradients {
        let closed_form = self.function.contrast(input, first, second, scale);
        closed_form.unwrap_or_else(|| {
            let scale = scale / first.batch_size() as f64;
            slopes::difference_by_parameters(&self.function, input, first, second, scale)
        })
    }

    fn input_contrast(
        &self,
        input: &Tensor<2>,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Option<Tensor<2>> {
        let closed_form = self.function.input_contrast(input, first, second, scale);
        closed_form.or_else(|| input_slopes(self, input, first, second, scale))
    }

    /// The field itself, because there is an energy.
    fn adjoint(&self, input: &Tensor<2>, _state: &State) -> Option<Tensor<2>> {
        Some(input.clone())
    }

    fn energy_of(&self, input: &Tensor<2>, state: &State) -> Option<Tensor<1>> {
        Some(self.energy(input, state))
    }
}

impl<F: EnergyFunction> Energy for CustomEnergy<F> {
    fn energy(&self, input: &Tensor<2>, state: &State) -> Tensor<1> {
        self.function.energy(input, state)
    }
}
