//! Values with a backward pass of their own, for Burn's autodiff.

mod backward;

use core::fmt;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::{
    BalancedCheckpointing, CheckpointStrategy, NoCheckpointing,
};
use burn::backend::autodiff::grads;
use burn::backend::autodiff::ops::{Backward, Ops, unary};
use burn::backend::{
    Autodiff, Backend, DispatchKindConversion, DispatchTensor, GradientCheckpointingStrategy,
};
use burn::module::Module;
use burn::tensor::Tensor;

use crate::gradients::Gradients;
use crate::parameters::{flat, parameters, parameters_with};
pub use backward::{backward, is_backward_refused, without_backward};

/// Returns `value` as a function of `parent` whose backward pass is `pullback`: from `∂L/∂value` to
/// `∂L/∂parent`.
///
/// `pullback` runs once, in the backward pass, outside autodiff. It may run a backward pass of its own,
/// as long as nothing in it belongs to the graph that it is part of. If no gradient of `parent` is
/// required, none is computed, and `value` is returned outside autodiff.
///
/// # Panics
/// If `value` and `parent` are on different devices.
#[cfg_attr(
    feature = "ndarray",
    allow(deprecated, reason = "who asks for the backend is told by its feature")
)]
pub fn with_pullback<const D: usize, const P: usize>(
    value: Tensor<D>,
    parent: Tensor<P>,
    pullback: impl FnOnce(Tensor<D>) -> Tensor<P> + Send + 'static,
) -> Tensor<D> {
    let value = value.without_autodiff();
    if !parent.is_tracked() {
        return value;
    }
    let pullback = Pullback(Box::new(pullback));
    let (backend, parent_device) = (value.device(), parent.device().without_autodiff());
    assert_eq!(
        backend, parent_device,
        "a value and what it depends on must be on one device"
    );
    macro_rules! on {
        ($backend:ident) => {
            if let Ok(value) = value
                .clone()
                .try_into_primitive::<burn::backend::$backend>()
            {
                type B = burn::backend::$backend;
                return match parent.gradient_checkpointing_strategy() {
                    Some(GradientCheckpointingStrategy::Balanced) => {
                        record::<B, BalancedCheckpointing, D, P>(value, parent, pullback)
                    }
                    _ => record::<B, NoCheckpointing, D, P>(value, parent, pullback),
                };
            }
        };
    }
    #[cfg(feature = "flex")]
    on!(Flex);
    #[cfg(feature = "ndarray")]
    on!(NdArray);
    #[cfg(any(
        feature = "wgpu",
        feature = "vulkan",
        feature = "metal",
        feature = "cuda",
        feature = "rocm"
    ))]
    on!(Cube);
    unreachable!("{backend:?} is on none of the backends that this crate was built with")
}

/// Records the node on a known backend.
fn record<B, C, const D: usize, const P: usize>(
    value: B::FloatTensorPrimitive,
    parent: Tensor<P>,
    pullback: Pullback<D, P>,
) -> Tensor<D>
where
    B: Backend,
    C: CheckpointStrategy,
    DispatchTensor: DispatchKindConversion<B> + DispatchKindConversion<Autodiff<B, C>>,
{
    let parent = parent
        .try_into_primitive::<Autodiff<B, C>>()
        .expect("a tracked tensor on the device of the value is on its backend's autodiff");
    let node = Backward::<B, 1>::prepare::<C>(pullback, [parent.node()]);
    Tensor::from_primitive::<Autodiff<B, C>>(node.compute_bound().stateless(value))
}

type Boxed<const D: usize, const P: usize> = Box<dyn FnOnce(Tensor<D>) -> Tensor<P> + Send>;

struct Pullback<const D: usize, const P: usize>(Boxed<D, P>);

impl<const D: usize, const P: usize> fmt::Debug for Pullback<D, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pullback")
    }
}

impl<B, const D: usize, const P: usize> Backward<B, 1> for Pullback<D, P>
where
    B: Backend,
    DispatchTensor: DispatchKindConversion<B>,
{
    type State = ();

    fn backward(
        self,
        ops: Ops<(), 1>,
        gradients: &mut grads::Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        unary::<B, _>(ops.parents, ops.node, gradients, |gradient| {
            let gradient = (self.0)(Tensor::from_primitive::<B>(gradient));
            gradient
                .try_into_primitive::<B>()
                .expect("a pullback computes on the device of its value, outside autodiff")
        });
    }
}

/// Returns whether a gradient is required for any parameter of `module` or any of `tensors`.
pub fn is_tracked<'a, M: Module>(
    module: &M,
    tensors: impl IntoIterator<Item = &'a Tensor<2>>,
) -> bool {
    let mut parameters = parameters(module).into_iter();
    tensors.into_iter().any(Tensor::is_tracked)
        || parameters.any(|parameter| parameter.values.is_tracked())
}

/// Concatenates all float parameters of `module` and then `tensors` to one vector: one parent for a
/// [value](with_pullback) that depends on all of them.
pub fn joined<M: Module>(module: &M, tensors: &[Tensor<2>]) -> Tensor<1> {
    let parameters = parameters(module).into_iter();
    let parts = parameters.map(|parameter| parameter.values);
    let tensors = tensors.iter().cloned().map(flat);
    Tensor::cat(parts.chain(tensors).collect(), 0)
}

/// Concatenates gradients in the order of [`joined`], 0 for parameters that have none.
pub fn joined_gradients<M: Module>(
    module: &M,
    gradients: &Gradients,
    tensors: &[Tensor<2>],
) -> Tensor<1> {
    let parts = parameters_with(module, gradients).into_iter();
    let parts = parts.map(|(parameter, gradient)| {
        let zeros = || parameter.values.without_autodiff().zeros_like();
        gradient.unwrap_or_else(zeros)
    });
    let tensors = tensors.iter().cloned().map(flat);
    Tensor::cat(parts.chain(tensors).collect(), 0)
}
