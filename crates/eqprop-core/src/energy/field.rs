//! What the model is, for all that relaxes and learns.

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

/// What drives the layers of a network toward an equilibrium, given an input.
///
/// Each free layer has a drive, and responds to it by its
/// [`Activation`](crate::activation::Activation):
///
/// ```text
/// s_k ← σ_k(drive_k(θ, x, s))        an equilibrium is a state that this leaves as it is
/// ```
///
/// Where the drives are those of an [`Energy`], the equilibria are its minima and equilibrium
/// propagation estimates the gradient of the cost. They need not be: with forward and feedback
/// weights of their own (untied) there is no energy, and the same two-phase procedure
/// is the vector-field setting of Ernoult et al. (2020), <https://arxiv.org/abs/2005.04168>, and
/// Laborieux et al. (2021), <https://arxiv.org/abs/2006.03824>.
///
/// A field owns its parameters θ as a Burn [`Module`]; it never changes them. Free layers
/// are counted from 0 in the state. An input is first [clamped](Self::clamp), which computes
/// once what it contributes to every later step.
pub trait VectorField: Module + ModuleDisplay {
    /// What stays constant while an input is clamped and the parameters are held.
    type Clamped: Clone;

    /// The free layers, first to last; the last one is the output.
    fn layers(&self) -> &[LayerConfig];

    /// Groups of layers such that no two layers of a group interact: updating a whole group at
    /// once is then the same as updating one layer after the other.
    fn groups(&self) -> &[Vec<usize>];

    /// Clamps an input.
    ///
    /// # Shapes
    /// - `input`: `[batch, n_inputs]`
    fn clamp(&self, input: &Tensor<2>) -> Self::Clamped;

    /// The clamped input repeated `n` times along the batch axis, as [`State::repeat`].
    fn repeat(&self, clamped: &Self::Clamped, n: usize) -> Self::Clamped;

    /// The units of free layer `layer` that the input clamps, or `None` where there are none, as in
    /// every field that is not [`PartlyClamped`](super::PartlyClamped). A relaxation leaves them where
    /// they are held, whatever drives them.
    fn held<'a>(&self, _layer: usize, _clamped: &'a Self::Clamped) -> Option<&'a HeldUnits> {
        None
    }

    /// The drive of free layer `layer`.
    ///
    /// # Shapes
    /// - output: `[batch, n_units]`
    fn drive(&self, layer: usize, clamped: &Self::Clamped, state: &State) -> Tensor<2>;

    /// The curvature `a` of the energy in each unit of free layer `layer`, in units of that of the
    /// potential, or `None` where it is 1: see [`Energy`].
    ///
    /// # Shapes
    /// - output: `[1, n_units]`
    fn curvature(&self, _layer: usize) -> Option<Tensor<2>> {
        None
    }

    /// `scale · mean over the batch of [∂E/∂θ(first) − ∂E/∂θ(second)]`, for every parameter; without
    /// an energy, what stands in its place in the learning rule.
    fn contrast(
        &self,
        clamped: &Self::Clamped,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Gradients;

    /// The contrast of each parameter by the drives that it has part in, with `Δ = first − second` and
    /// `s̄` the mean of the two states:
    ///
    /// ```text
    /// −scale · mean over the batch of Σ_k a_k (∂drive_k/∂θ(s̄))ᵀ Δ_k
    /// ```
    ///
    /// Where `Δ` is the response of the [adjoint](Self::adjoint) field to a nudge by the cost, this is the
    /// gradient of the cost, energy or not. Of an energy it is the [contrast](Self::contrast) up to terms
    /// of third order in `Δ`, and so the contrast stands for it; a field without an energy, whose learning
    /// rule is another, says what it is.
    fn drive_contrast(
        &self,
        clamped: &Self::Clamped,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Gradients {
        self.contrast(clamped, first, second, scale)
    }

    /// The clamped field that answers a small change of the state by the transposed Jacobian: its drives
    /// have no antisymmetric part left of what leads away from `state`,
    ///
    /// ```text
    /// drive*(s) = drive(s) − (J − Jᵀ)(s − s⁰) + o(s − s⁰),   J = ∂drive/∂s at s⁰, the given state
    /// ```
    ///
    /// so that it has the same equilibrium `s⁰`, around which its slopes are `Jᵀ`. (Where the field has a
    /// [curvature](Self::curvature), `J` is the Jacobian of `a · drive`.) An energy has a symmetric `J` and
    /// is its own adjoint. `None`, as in every field that does not say otherwise, where there is no closed
    /// form; estimators then have products with `Jᵀ` from Burn's autodiff.
    fn adjoint(&self, _clamped: &Self::Clamped, _state: &State) -> Option<Self::Clamped> {
        None
    }

    /// `scale · [∂E/∂x(first) − ∂E/∂x(second)]` of each example, or `None` if the field has neither an
    /// energy nor something that stands in its place. What an equilibrium block hands to the layers
    /// that its input comes from.
    ///
    /// Unless a field does otherwise, from its energy by Burn's autodiff.
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

    /// The energy of each example, `[batch]`, or `None` if the field has none: for measurements on
    /// any field. What cannot do without an energy asks for an [`Energy`].
    fn energy_of(&self, _clamped: &Self::Clamped, _state: &State) -> Option<Tensor<1>> {
        None
    }

    /// What the built-in fields know beyond their equations; others leave it out.
    #[doc(hidden)]
    fn shortcuts<'a>(&'a self, _clamped: &'a Self::Clamped) -> Box<dyn Shortcuts + 'a> {
        Box::new(())
    }

    /// The state that nothing has driven yet, see
    /// [`Activation::rest`](crate::activation::Activation::rest). It has the data type of
    /// `input`.
    fn rest(&self, input: &Tensor<2>) -> State {
        let rest = |layer: &LayerConfig| layer.activation.rest(layer.n_units());
        uniform(self.layers(), input.dims()[0], input, rest)
    }

    /// Where a free phase starts that has no better state: at [rest](Self::rest), or at an
    /// equilibrium where it is known in closed form. Clamped units are where they are
    /// [held](Self::held).
    fn start(&self, input: &Tensor<2>, clamped: &Self::Clamped) -> State {
        let equilibrium = self.shortcuts(clamped).equilibrium();
        let start = equilibrium.unwrap_or_else(|| self.rest(input));
        with_held(self, clamped, start)
    }

    /// The field with the parameters nearest to these that it can have. Training calls it after
    /// every update, whatever the optimizer: a resistor has no negative conductance.
    fn project(self) -> Self {
        self
    }

    /// One pass from the first layer to the last, each responding to the layers before it while
    /// those after it are 0 (of oscillators, at rest):
    ///
    /// ```text
    /// s_k = σ_k(drive_k(θ, x, s_1 … s_{k−1}, 0 … 0))
    /// ```
    ///
    /// In a layered network this is the pass of the feedforward network with the same parameters,
    /// and close to the free equilibrium where feedback is weak. Clamped units are where they are
    /// [held](Self::held) from the beginning.
    fn feedforward(&self, input: &Tensor<2>, clamped: &Self::Clamped) -> State {
        // Of predictive coding it is the pass, in which the layers above are not 0.
        if let Some(pass) = self.shortcuts(clamped).equilibrium() {
            return pass;
        }
        // If the sines of oscillators were 0, nothing would drive one, and all phases were locked.
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

    /// One pass through the feedforward network of the same parameters, for a single use: what
    /// backpropagation trains.
    ///
    /// # Errors
    /// If there is none, as in a field that does not say otherwise.
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
/// where the potential of unit `i` of the layer counts `a_ki` times: its
/// [curvature](VectorField::curvature), which is 1 but in a
/// [`ResistiveNetwork`](super::ResistiveNetwork). It minimizes
/// exactly where `drive_k` does not depend on `s_k` itself, and as a fixed-point step
/// otherwise; and [`contrast`](VectorField::contrast) is that of `∂E/∂θ`.
pub trait Energy: VectorField {
    /// The energy `E` of each example.
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

/// `state` with its clamped units where they are held.
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
