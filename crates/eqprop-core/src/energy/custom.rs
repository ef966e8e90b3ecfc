//! An energy of your own, from one method.

mod closed_forms;
mod slopes;

use core::fmt::Debug;

use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;

use super::slopes::input_contrast;
use super::{Energy, LayerConfig, VectorField};
use crate::pullback::{is_tracked, joined, with_pullback};
use crate::{gradients::Gradients, state::State};
pub use closed_forms::{ClosedForm, ClosedFormError};

/// An energy `E(θ, x, s)` as a function: all that a [`CustomEnergy`] needs.
///
/// The parameters θ are those of the module. Only [`energy`](Self::energy) has to be written; its
/// derivatives come from Burn's autodiff. Where they are known in closed form they can be supplied
/// one by one, for speed; [`CustomEnergy::check_closed_forms`] compares them with autodiff.
///
/// ```
/// use burn::module::{Module, Param};
/// use burn::tensor::{Device, Distribution, Tensor};
/// use eqprop_core::prelude::*;
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
    /// The energy `E` of each example, with the potentials of the layers: where a layer has
    /// activation `σ_k`, a term [`potential`](crate::activation::Activation::potential) of its
    /// values makes the fixed-point step exact, see [`CustomEnergy`].
    ///
    /// It must not mix the examples of a batch, and use operations that Burn differentiates. A
    /// batch may be several copies of the one that was clamped.
    ///
    /// In `f64` it should multiply by a reciprocal and not divide by a number: Burn's autodiff
    /// takes the reciprocal of a scalar divisor in `f32`.
    ///
    /// # Shapes
    /// - `input`: `[batch, n_inputs]`, layers of `state`: `[batch, n_units]`, output: `[batch]`
    fn energy(&self, input: &Tensor<2>, state: &State) -> Tensor<1>;

    /// The drive `σ_k⁻¹(s_k) − ∂E/∂s_k` of free layer `layer`, `[batch, n_units]`, if there is a
    /// closed form.
    fn drive(&self, _layer: usize, _input: &Tensor<2>, _state: &State) -> Option<Tensor<2>> {
        None
    }

    /// [`VectorField::contrast`], if there is a closed form.
    fn contrast(
        &self,
        _input: &Tensor<2>,
        _first: &State,
        _second: &State,
        _scale: f64,
    ) -> Option<Gradients> {
        None
    }

    /// [`VectorField::input_contrast`], if there is a closed form.
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

/// An energy of your own, from an [`EnergyFunction`] and the layers it has.
///
/// The drives are such that the fixed-point step descends the energy,
///
/// ```text
/// drive_k = σ_k⁻¹(s_k) − ∂E/∂s_k        s_k ← σ_k(drive_k)
/// ```
///
/// the step of mirror descent of size 1 in the geometry of the potential `G_k`. Where
/// `E = Σ G_k + interactions` and a layer does not interact with itself, it is the exact minimizer
/// over the layer. Elsewhere it is one step, which may overshoot where `E` is more than twice as
/// curved as `G_k`: [`GradientFlow`](crate::relaxation::Scheme::GradientFlow) with a small step size
/// converges on any smooth energy. An equilibrium is the same in all schemes.
///
/// Each layer is a [group](VectorField::groups) of its own, which is right for any energy.
///
/// # How it differentiates
/// Drives, parameter gradients and input gradients are slopes of the energy at one state, by Burn's
/// autodiff: nothing is unrolled and nothing grows with the steps of a relaxation. What is computed
/// outside autodiff stays outside.
///
/// The drives themselves are differentiable, for estimators that go through them
/// (backpropagation through time, recurrent backpropagation, the exact gradient). Burn's autodiff
/// has first derivatives only, so their backward pass is a central difference of slopes along the
/// vector `v` that comes back:
///
/// ```text
/// (∂drive_k/∂z)ᵀ v = 1/2ε · [∂Φ/∂z(s_k + εv) − ∂Φ/∂z(s_k − εv)],   Φ = G_k − E,   z = θ, x, s
/// ```
///
/// with an error of order ε², some 1e-10 in `f64` and 1e-4 in `f32`. A drive in closed form is
/// differentiated by Burn's autodiff instead.
///
/// # Cost
/// A drive is one evaluation of the energy and its backward pass, for one layer. The contrast is
/// the difference of two slopes: states that differ by β lose `1/β` of the number format's digits,
/// which the closed form of [`HopfieldEnergy`](super::HopfieldEnergy) does not.
#[derive(Module, Debug)]
pub struct CustomEnergy<F: EnergyFunction> {
    /// The energy, with all parameters.
    pub function: F,
    #[module(skip)]
    layers: Vec<LayerConfig>,
    #[module(skip)]
    groups: Vec<Vec<usize>>,
}

/// A [`CustomEnergy`] with its input clamped.
#[derive(Debug, Clone)]
pub struct ClampedCustom {
    input: Tensor<2>,
}

impl<F: EnergyFunction> CustomEnergy<F> {
    /// The energy `function` over these free layers, of which the last is the output.
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

    /// `σ_k⁻¹(s_k) − ∂E/∂s_k` by autodiff, outside autodiff.
    fn drive_by_autodiff(&self, layer: usize, input: &Tensor<2>, state: &State) -> Tensor<2> {
        let inverse = self.layers[layer]
            .activation
            .inverse(state.layer(layer).clone());
        inverse - slopes::of_layer(&self.function, layer, input, state)
    }
}

impl<F: EnergyFunction> VectorField for CustomEnergy<F> {
    type Clamped = ClampedCustom;

    fn layers(&self) -> &[LayerConfig] {
        &self.layers
    }

    fn groups(&self) -> &[Vec<usize>] {
        &self.groups
    }

    fn clamp(&self, input: &Tensor<2>) -> ClampedCustom {
        ClampedCustom {
            input: input.clone(),
        }
    }

    fn repeat(&self, clamped: &ClampedCustom, n: usize) -> ClampedCustom {
        ClampedCustom {
            input: clamped.input.clone().repeat_dim(0, n),
        }
    }

    fn drive(&self, layer: usize, clamped: &ClampedCustom, state: &State) -> Tensor<2> {
        let input = &clamped.input;
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
        let (input, state) = (input.clone().without_autodiff(), slopes::plain(state));
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
        closed_form.or_else(|| input_contrast(self, input, first, second, scale))
    }

    fn energy_of(&self, clamped: &ClampedCustom, state: &State) -> Option<Tensor<1>> {
        Some(self.energy(clamped, state))
    }
}

impl<F: EnergyFunction> Energy for CustomEnergy<F> {
    fn energy(&self, clamped: &ClampedCustom, state: &State) -> Tensor<1> {
        self.function.energy(&clamped.input, state)
    }
}
