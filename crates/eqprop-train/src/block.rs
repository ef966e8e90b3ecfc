//! An equilibrium network as a layer of any Burn model.

use std::sync::{Arc, Mutex, PoisonError};

use burn::module::Module;
use burn::tensor::Tensor;
use eqprop_core::cost::LinearCost;
use eqprop_core::energy::VectorField;
use eqprop_core::pullback::{is_tracked, joined, joined_gradients, with_pullback};
use eqprop_core::relaxation::{Dynamics, Relaxed, Scheme};
use tracing::debug_span;

use crate::batch::Batch;
use crate::estimator::{EquilibriumPropagation, FreeEquilibrium};
use crate::network::EquilibriumNetwork;

/// An equilibrium network as a layer of a Burn model whose other layers are trained by backpropagation.
///
/// In the forward pass it runs a free phase and outputs the last layer of the equilibrium. In the backward
/// pass it runs nudged phases, driven by the gradient that Burn's autodiff brings from the layers above, and
/// contrasts their equilibria to get the gradients of its parameters and of its input:
///
/// ```text
/// forward     y = s_out⁰,   s⁰ = argmin_s E(θ, x, s)
/// backward    g = ∂L/∂y from above;   s^β = argmin_s E + β⟨g, s_out⟩
///
///             dL/dθ = 1/(β₁ − β₂) · [ ∂E/∂θ(s^β₁) − ∂E/∂θ(s^β₂) ]     to the optimizer
///             dL/dx = 1/(β₁ − β₂) · [ ∂E/∂x(s^β₁) − ∂E/∂x(s^β₂) ]     to the layers below
/// ```
///
/// It is a node of Burn's autodiff: `loss.backward()` and one optimizer train the whole model, whatever
/// comes before, between or after its blocks. No step of a relaxation is recorded, so memory does not
/// grow with their number. The theorem holds for any loss, because to first order the loss is the linear
/// cost `⟨g, y⟩`; see [`LinearCost`].
///
/// # The scale of β
/// The loss is assumed to be the mean over the batch, as Burn's are: each example is nudged by
/// `−β · batch · g`, the slope of its own loss, so that β means the same as in
/// [`EquilibriumPropagation`]. The order of the error in β is that of its
/// [`Nudging`](eqprop_core::nudging::Nudging).
///
/// # Cost
/// One free phase forward; the nudged phases and one contrast backward. The parameters are copied once,
/// so that they and the input form one parent of the node; their gradients are copied once on the way
/// back.
///
/// # Examples
///
/// Adds a trainable head to a trained, frozen model:
///
/// ```
/// use burn::nn::loss::CrossEntropyLossConfig;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::Distribution;
/// use eqprop_train::prelude::*;
///
/// #[derive(Module, Debug)]
/// struct Extended {
///     trunk: Linear,
///     head: EquilibriumBlock<HopfieldEnergy>,
/// }
///
/// let device = Device::default().autodiff();
/// let (tanh, weights) = (Activation::Tanh, InitializerConfig::Glorot);
/// let energy = HopfieldEnergyConfig::dense(&[16, 12, 3], tanh, Activation::Identity, weights);
/// let phase = |n_steps| Relaxation::steps(Scheme::Asynchronous, n_steps);
/// let method = EquilibriumPropagation::new(Nudging::Centered { beta: 0.1 }, phase(20), phase(10));
/// let mut model = Extended {
///     trunk: LinearConfig::new(8, 16).init(&device).no_grad(), // trained elsewhere
///     head: EquilibriumBlock::new(energy.init(&device), method),
/// };
///
/// let mut optimizer: ModuleOptimizer = SgdConfig::new().init();
/// let input = Tensor::random([4, 8], Distribution::Default, &device);
/// let classes = Tensor::from_data([0, 1, 2, 0], &device);
/// for _ in 0..2 {
///     let scores = model.head.forward(model.trunk.forward(input.clone()));
///     let loss = CrossEntropyLossConfig::new().init(&device).forward(scores, classes.clone());
///     let gradients = GradientsParams::from_grads(loss.backward(), &model);
///     assert_eq!(gradients.len(), 4); // two weight matrices and two biases of the head
///     model = optimizer.step(0.1, model, gradients);
/// }
/// ```
///
/// # Reference
/// Nest & Ernoult (2024), <https://arxiv.org/abs/2409.03306>: chains of feedforward and
/// equilibrium blocks
#[derive(Module, Debug)]
pub struct EquilibriumBlock<E: VectorField, D: Clone + core::fmt::Debug + Send = Scheme> {
    /// Energy (or other field) that the block relaxes.
    pub energy: E,
    #[module(skip)]
    method: EquilibriumPropagation<D>,
    /// Last nudged phase, shared by all clones, because a training step works on clones.
    #[module(skip)]
    nudged: Arc<Mutex<Option<Relaxed>>>,
}

impl<E, D> EquilibriumBlock<E, D>
where
    E: VectorField<Clamped: Send + 'static> + 'static,
    D: Dynamics + 'static,
{
    /// Creates a block with the phases and nudging of `method`.
    ///
    /// # Panics
    /// If β is out of range, see
    /// [`Nudging::validate_range`](eqprop_core::nudging::Nudging::validate_range); a linear cost
    /// sets no further limits.
    pub fn new(energy: E, method: EquilibriumPropagation<D>) -> Self {
        if let Err(error) = method.nudging.validate_range() {
            panic!("{error}");
        }
        Self {
            energy,
            method,
            nudged: Arc::default(),
        }
    }

    /// Computes the output at the free equilibrium.
    ///
    /// # Shapes
    /// - `input`: `[batch, n_inputs]`, output: `[batch, n_units]` of the last layer
    ///
    /// # Panics
    /// In the backward pass, if a gradient of the input is required and the field has none.
    pub fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        self.forward_relaxed(input).0
    }

    /// Like [`forward`](Self::forward), but also returns the free phase: whether it converged, and the
    /// states of all layers, outside autodiff.
    pub fn forward_relaxed(&self, input: Tensor<2>) -> (Tensor<2>, Relaxed) {
        let network = EquilibriumNetwork::new(self.energy.clone(), LinearCost);
        let output = self.energy.layers().last().expect("a network has a layer");
        let like = (&input.device().without_autodiff(), input.dtype());
        // The slope of the loss is known in the backward pass.
        let no_slope = Tensor::zeros([input.dims()[0], output.n_units()], like);
        let batch = Batch::new(input.clone(), no_slope);
        let free = FreeEquilibrium::find(&self.method.free, &network, &batch, None);
        let (output, relaxed) = (free.state().output().clone(), free.relaxed.clone());
        if !is_tracked(&self.energy, [&input]) {
            return (output, relaxed);
        }
        let (reaches_below, method) = (input.is_tracked(), self.method.clone());
        let nudged = self.nudged.clone();
        let parent = joined(&self.energy, &[input]);
        let output = with_pullback(output, parent, move |slope| {
            let (gradients, phase) = backward(free, &method, reaches_below, slope);
            *nudged.lock().unwrap_or_else(PoisonError::into_inner) = Some(phase);
            gradients
        });
        (output, relaxed)
    }

    /// Returns the nudged phase of the last backward pass, of this block or a clone: for a centered
    /// estimate, `β` followed by `−β`, as one batch.
    pub fn last_nudged(&self) -> Option<Relaxed> {
        // A thread that panicked elsewhere left a complete phase behind.
        let nudged = self.nudged.lock();
        nudged.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Returns the gradients of the parameters and of the input, concatenated, for `slope = ∂L/∂y`; and the
/// nudged phase.
fn backward<E: VectorField, D: Dynamics>(
    mut free: FreeEquilibrium<E, LinearCost>,
    method: &EquilibriumPropagation<D>,
    reaches_below: bool,
    slope: Tensor<2>,
) -> (Tensor<1>, Relaxed) {
    let n_examples = free.state().batch_size() as f64;
    free.target = slope * n_examples;
    let (pairs, nudged) = method.nudge(&free);
    let gradients = debug_span!("gradient").in_scope(|| {
        let energy = &free.network.energy;
        let mut below = free.input.zeros_like();
        if reaches_below {
            for pair in &pairs {
                let weight = pair.weight / n_examples;
                let term = energy.input_contrast(&free.input, &pair.first, &pair.second, weight);
                below = below
                    + term.expect(
                        "this field has no input contrast, so that what is below the block \
                         cannot be trained through it: implement VectorField::input_contrast, \
                         or detach the input of the block",
                    );
            }
        }
        joined_gradients(energy, &free.gradients(&pairs), &[below])
    });
    (gradients, nudged)
}
