//! The interface of a model to relaxation and learning.

use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;

use super::held::HeldUnits;
use super::shortcuts::Shortcuts;
use super::slopes::{backward, leaf, slope};
use super::twin::{NoTwin, Twin};
use crate::activation::Activation;
use crate::gradients::Gradients;
use crate::layer::LayerConfig;
use crate::state::State;

/// A vector field: the drives that move the layers of a network toward an equilibrium, given an input.
///
/// Each free layer has a drive, and responds to it with its
/// [`Activation`](crate::activation::Activation):
///
/// ```text
/// s_k ← σ_k(drive_k(θ, x, s))        an equilibrium is a state that this leaves as it is
/// ```
///
/// If the drives are those of an [`Energy`], the equilibria are its minima and equilibrium propagation
/// estimates the gradient of the cost. They need not be: with separate (untied) forward and feedback
/// weights there is no energy, and the same two-phase procedure is the vector-field setting of Ernoult
/// et al. (2020), <https://arxiv.org/abs/2005.04168>, and Laborieux et al. (2021),
/// <https://arxiv.org/abs/2006.03824>.
///
/// A field owns its parameters θ as a Burn [`Module`] and never changes them. Free layers are counted
/// from 0 in the state. An input is first [clamped](Self::clamp), which computes once its contribution
/// to all later steps.
pub trait VectorField: Module + ModuleDisplay {
    /// The quantities that stay constant while an input is clamped and the parameters are fixed.
    type Clamped: Clone;

    /// Returns the free layers, first to last; the last one is the output.
    fn layers(&self) -> &[LayerConfig];

    /// Returns groups of layers such that no two layers of a group interact: updating a whole group at
    /// once is then the same as updating one layer after the other.
    fn groups(&self) -> &[Vec<usize>];

    /// Clamps an input.
    ///
    /// # Shapes
    /// - `input`: `[batch, n_inputs]`
    fn clamp(&self, input: &Tensor<2>) -> Self::Clamped;

    /// Repeats the clamped input `n` times along the batch axis, like [`State::repeat`].
    fn repeat(&self, clamped: &Self::Clamped, n: usize) -> Self::Clamped;

    /// Returns the units of free layer `layer` that the input clamps, or `None` if there are none, as
    /// in every field other than [`PartlyClamped`](super::PartlyClamped). A relaxation keeps them at
    /// their clamped values, whatever their drive.
    fn held<'a>(&self, _layer: usize, _clamped: &'a Self::Clamped) -> Option<&'a HeldUnits> {
        None
    }

    /// Computes the drive of free layer `layer`.
    ///
    /// # Shapes
    /// - output: `[batch, n_units]`
    fn drive(&self, layer: usize, clamped: &Self::Clamped, state: &State) -> Tensor<2>;

    /// Returns the curvature `a` of the energy in each unit of free layer `layer`, in units of that of
    /// the potential, or `None` if it is 1; see [`Energy`].
    ///
    /// # Shapes
    /// - output: `[1, n_units]`
    fn curvature(&self, _layer: usize) -> Option<Tensor<2>> {
        None
    }

    /// Computes `scale · mean over the batch of [∂E/∂θ(first) − ∂E/∂θ(second)]` for every parameter;
    /// without an energy, the quantity that takes its place in the learning rule.
    fn contrast(
        &self,
        clamped: &Self::Clamped,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Gradients;

    /// Computes the contrast of each parameter from the drives that depend on it, with
    /// `Δ = first − second` and `s̄` the mean of the two states:
    ///
    /// ```text
    /// −scale · mean over the batch of Σ_k a_k (∂drive_k/∂θ(s̄))ᵀ Δ_k
    /// ```
    ///
    /// If `Δ` is the response of the [adjoint](Self::adjoint) field to a nudge by the cost, this is the
    /// gradient of the cost, with or without an energy. With an energy it equals the
    /// [contrast](Self::contrast) up to terms of third order in `Δ`, so the contrast is the default; a field
    /// without an energy, whose learning rule differs, has to implement it.
    fn drive_contrast(
        &self,
        clamped: &Self::Clamped,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Gradients {
        self.contrast(clamped, first, second, scale)
    }

    /// Returns the adjoint of the clamped field at `state`, which responds to a small change of the state
    /// with the transposed Jacobian:
    ///
    /// ```text
    /// drive*(s) = drive(s) − (J − Jᵀ)(s − s⁰) + o(s − s⁰),   J = ∂drive/∂s at s⁰, the given state
    /// ```
    ///
    /// It has the same equilibrium `s⁰`, around which its Jacobian is `Jᵀ`. (With a
    /// [curvature](Self::curvature), `J` is the Jacobian of `a · drive`.) An energy has a symmetric `J` and
    /// is its own adjoint. The default is `None`, for fields without a closed form; estimators then compute
    /// products with `Jᵀ` by Burn's autodiff.
    fn adjoint(&self, _clamped: &Self::Clamped, _state: &State) -> Option<Self::Clamped> {
        None
    }

    /// Computes `scale · [∂E/∂x(first) − ∂E/∂x(second)]` of each example, or returns `None` if the
    /// field has neither an energy nor a substitute for it. An equilibrium block passes the result to
    /// the layers that its input comes from.
    ///
    /// By default it comes from the energy, by Burn's autodiff.
    ///
    /// # Shapes
    /// - `input` and output: `[batch, n_inputs]`
    fn input_contrast(
        &self,
        input: &Tensor<2>,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Option<Tensor<2>> {
        input_slopes(self, input, first, second, scale)
    }

    /// Computes the energy of each example, `[batch]`, or returns `None` if the field has none: for
    /// measurements on any field. Code that needs an energy requires an [`Energy`].
    fn energy_of(&self, _clamped: &Self::Clamped, _state: &State) -> Option<Tensor<1>> {
        None
    }

    /// Returns the shortcuts of a built-in field beyond its equations; other fields leave them out.
    #[doc(hidden)]
    fn shortcuts<'a>(&'a self, _clamped: &'a Self::Clamped) -> Box<dyn Shortcuts + 'a> {
        Box::new(())
    }

    /// Returns the initial state, before any drive; see
    /// [`Activation::rest`](crate::activation::Activation::rest). It has the data type of `input`.
    fn rest(&self, input: &Tensor<2>) -> State {
        let rest = |layer: &LayerConfig| layer.activation.rest(layer.n_units());
        uniform(self.layers(), input.dims()[0], input, rest)
    }

    /// Returns the state from which a free phase starts if there is no better one: the [initial
    /// state](Self::rest), or an equilibrium that is known in closed form. Clamped units are at their
    /// [clamped values](Self::held).
    fn start(&self, input: &Tensor<2>, clamped: &Self::Clamped) -> State {
        let equilibrium = self.shortcuts(clamped).equilibrium();
        let start = equilibrium.unwrap_or_else(|| self.rest(input));
        with_held(self, clamped, start)
    }

    /// Returns the field with its parameters projected to the nearest admissible ones. Training calls
    /// it after every update, whatever the optimizer: a resistor has no negative conductance.
    fn project(self) -> Self {
        self
    }

    /// Computes one pass from the first layer to the last, each responding to the layers before it
    /// while those after it are 0 (for oscillators, in the initial state):
    ///
    /// ```text
    /// s_k = σ_k(drive_k(θ, x, s_1 … s_{k−1}, 0 … 0))
    /// ```
    ///
    /// In a layered network this is the pass of the feedforward network with the same parameters, and
    /// close to the free equilibrium if feedback is weak. Clamped units are at their [clamped
    /// values](Self::held) from the beginning.
    fn feedforward(&self, input: &Tensor<2>, clamped: &Self::Clamped) -> State {
        // In predictive coding it is the forward pass, in which the layers above are not 0.
        if let Some(pass) = self.shortcuts(clamped).equilibrium() {
            return pass;
        }
        // With sines of 0 no oscillator would be driven along its sine: all phases would be locked.
        let silent = |layer: &LayerConfig| match layer.activation {
            Activation::Phase => layer.activation.rest(layer.n_units()),
            _ => 0.0,
        };
        let silent = uniform(self.layers(), input.dims()[0], input, silent);
        let mut state = with_held(self, clamped, silent);
        for (index, layer) in self.layers().iter().enumerate() {
            let response = layer.activation.apply(self.drive(index, clamped, &state));
            state.set(
                index,
                match self.held(index, clamped) {
                    Some(held) => held.hold(response),
                    None => response,
                },
            );
        }
        state
    }

    /// Computes one pass through the feedforward network with the same parameters, for a single use:
    /// the network that backpropagation trains.
    ///
    /// # Errors
    /// If there is no such network, as by default.
    fn twin(&self, _input: &Tensor<2>) -> Result<Twin, NoTwin> {
        Err(NoTwin::Never {
            field: "this field",
            reason: "it does not implement VectorField::twin",
        })
    }
}

/// An energy `E(θ, x, s)` whose minima over the state `s` are the network's equilibria.
///
/// The energy splits into one potential per layer and interactions, so that each layer has a
/// drive (see [`Activation`](crate::activation::Activation)):
///
/// ```text
/// drive_k = −a_k⁻¹ ∂(E − a_k G_k)/∂s_k        s_k = σ_k(drive_k) minimizes E over s_k
/// ```
///
/// where the potential of unit `i` of the layer is multiplied by `a_ki`, its
/// [curvature](VectorField::curvature), which is 1 except in a
/// [`ResistiveNetwork`](super::ResistiveNetwork). The minimization is exact if `drive_k` does not
/// depend on `s_k` itself, and a fixed-point step otherwise. The [`contrast`](VectorField::contrast) is
/// that of `∂E/∂θ`.
pub trait Energy: VectorField {
    /// Computes the energy `E` of each example.
    ///
    /// # Shapes
    /// - output: `[batch]`
    fn energy(&self, clamped: &Self::Clamped, state: &State) -> Tensor<1>;
}

/// A state in which all units of a layer have one value, on the device and in the precision of `like`.
pub(super) fn uniform(
    layers: &[LayerConfig],
    batch: usize,
    like: &Tensor<2>,
    value: impl Fn(&LayerConfig) -> f64,
) -> State {
    let like = (&like.device(), like.dtype());
    let layers = layers.iter();
    let layers = layers.map(|layer| Tensor::full([batch, layer.n_units()], value(layer), like));
    State::new(layers.collect())
}

/// `state` with its clamped units at their clamped values.
fn with_held<E: VectorField>(field: &E, clamped: &E::Clamped, mut state: State) -> State {
    for layer in 0..state.layers().len() {
        if let Some(held) = field.held(layer, clamped) {
            state.set(layer, held.hold(state.layer(layer).clone()));
        }
    }
    state
}

/// [`VectorField::input_contrast`] from the energy, if the field has one.
pub(crate) fn input_slopes<E: VectorField>(
    field: &E,
    input: &Tensor<2>,
    first: &State,
    second: &State,
    scale: f64,
) -> Option<Tensor<2>> {
    let input = leaf(input);
    let clamped = field.clamp(&input);
    let energy = |state| field.energy_of(&clamped, state);
    let difference = energy(first)? - energy(second)?;
    let slopes = backward((difference * scale).sum());
    Some(slope(&input, slopes.as_ref()))
}
