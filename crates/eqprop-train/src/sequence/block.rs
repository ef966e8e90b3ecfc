//! A Hamiltonian system as a layer of any Burn model.

use burn::module::Module;
use burn::tensor::Tensor;
use eqprop_core::pullback::{is_tracked, joined, joined_gradients, with_pullback};
use eqprop_core::sequence::{Course, HamiltonianEcho, HamiltonianSystem, LossSlopes, Potential};

/// A system that conserves energy, as a recurrent layer of a Burn model whose other layers are trained by
/// backpropagation.
///
/// ```text
/// forward     y_1 … y_T, the positions after every input, from rest
/// backward    g_t = ∂L/∂y_t from above; two echoes, nudged by ±ε g_t, give dL/dθ and dL/du_t
/// ```
///
/// It is a node of Burn's autodiff: `loss.backward()` and one optimizer train the whole model, whatever comes
/// before, between or after its blocks, for any loss. No step of the trajectory is recorded; the inputs and
/// the output of `forward` are kept, as for the surrounding layers.
///
/// ε means the same as in [`HamiltonianEcho`], and the loss is assumed to be the mean over the batch, as
/// Burn's are: each example is nudged by the slope of its own loss.
///
/// ```
/// use burn::nn::{Linear, LinearConfig, loss::MseLoss, loss::Reduction};
/// use burn::tensor::Distribution;
/// use eqprop_train::prelude::*;
/// use eqprop_core::sequence::*;
/// use eqprop_train::sequence::HamiltonianBlock;
///
/// #[derive(Module, Debug)]
/// struct Model {
///     first: HamiltonianBlock<CoupledOscillators>,
///     second: HamiltonianBlock<CoupledOscillators>,
///     head: Linear,
/// }
///
/// let device = Device::default().autodiff();
/// let block = |n_inputs| {
///     let oscillators = CoupledOscillatorsConfig::new(n_inputs, 8, 8).init(&device);
///     let system = HamiltonianSystem::new(oscillators, LeapfrogConfig::new(0.3, 2));
///     HamiltonianBlock::new(system, HamiltonianEcho::new(1e-3))
/// };
/// let head = LinearConfig::new(8, 1).init(&device);
/// let model = Model { first: block(2), second: block(8), head };
///
/// let inputs = Tensor::random([4, 20, 2], Distribution::Default, &device);
/// let target = Tensor::zeros([4, 1], &device);
/// let hidden = model.first.forward(inputs);
/// let output = model.head.forward(model.second.forward_last(hidden));
/// let loss = MseLoss::new().forward(output, target, Reduction::Mean);
/// let gradients = GradientsParams::from_grads(loss.backward(), &model);
/// assert_eq!(gradients.len(), 4 + 4 + 2);
/// ```
#[derive(Module, Debug)]
pub struct HamiltonianBlock<P: Potential> {
    /// Hamiltonian system.
    pub system: HamiltonianSystem<P>,
    #[module(skip)]
    echo: HamiltonianEcho,
}

impl<P: Potential + 'static> HamiltonianBlock<P> {
    /// Creates a block whose gradient is computed by `echo`.
    pub fn new(system: HamiltonianSystem<P>, echo: HamiltonianEcho) -> Self {
        Self { system, echo }
    }

    /// Computes the positions after every input.
    ///
    /// # Shapes
    /// - `inputs`: `[batch, n_steps, n_inputs]`, output: `[batch, n_steps, n_units]`
    ///
    /// # Panics
    /// As for [`HamiltonianSystem::run`].
    pub fn forward(&self, inputs: Tensor<3>) -> Tensor<3> {
        let mut positions = Vec::new();
        let (system, course) = self.run(&inputs, |position| positions.push(position));
        let positions = Tensor::stack(positions, 1);
        self.with_echo(positions, inputs, system, course, LossSlopes::AtEveryInput)
    }

    /// Computes the positions after the last input.
    ///
    /// # Shapes
    /// - `inputs`: `[batch, n_steps, n_inputs]`, output: `[batch, n_units]`
    ///
    /// # Panics
    /// As for [`HamiltonianSystem::run`].
    pub fn forward_last(&self, inputs: Tensor<3>) -> Tensor<2> {
        let (system, course) = self.run(&inputs, |_| {});
        let position = course.end.position.clone();
        self.with_echo(position, inputs, system, course, LossSlopes::AtEnd)
    }

    /// Returns the trajectory outside autodiff, and the system that took it.
    fn run(
        &self,
        inputs: &Tensor<3>,
        mut observe: impl FnMut(Tensor<2>),
    ) -> (HamiltonianSystem<P>, Passed) {
        let (system, inputs) = (self.system.valid(), inputs.clone().without_autodiff());
        let start = system.rest(&inputs);
        let end = system.run_observed(&inputs, start.clone(), |motion| {
            observe(motion.position.clone());
        });
        (system, Passed { inputs, start, end })
    }

    /// Attaches a backward pass by echoes to `value`; `slopes` are those of the loss.
    fn with_echo<const D: usize>(
        &self,
        value: Tensor<D>,
        inputs: Tensor<3>,
        system: HamiltonianSystem<P>,
        passed: Passed,
        slopes: fn(Tensor<D>) -> LossSlopes,
    ) -> Tensor<D> {
        let [batch, n_steps, n_inputs] = inputs.dims();
        let (reaches_below, echo) = (inputs.is_tracked(), self.echo);
        let rows = inputs.reshape([batch, n_steps * n_inputs]);
        if !is_tracked(&self.system, [&rows]) {
            return value;
        }
        let parent = joined(&self.system, &[rows]);
        with_pullback(value, parent, move |slope| {
            let n_examples = batch as f64;
            let slopes = slopes(slope * n_examples);
            let course = Course {
                inputs: &passed.inputs,
                start: passed.start,
                end: passed.end,
            };
            let found = match reaches_below {
                true => echo.retrace_with_inputs(&system, &course, &slopes),
                false => echo.retrace(&system, &course, &slopes),
            };
            let below = match found.input_slopes {
                Some(below) => below * (1.0 / n_examples),
                None => passed.inputs.zeros_like(),
            };
            let below = below.reshape([batch, n_steps * n_inputs]);
            joined_gradients(&system, &found.gradients, &[below])
        })
    }
}

/// A [`Course`] with its inputs.
struct Passed {
    inputs: Tensor<3>,
    start: eqprop_core::sequence::Motion,
    end: eqprop_core::sequence::Motion,
}
