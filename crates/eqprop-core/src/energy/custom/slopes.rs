//! First and second derivatives of an energy, by Burn's autodiff at one state.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Tensor};

use super::function::EnergyFunction;
use crate::energy::slopes::{backward, leaf, slope};
use crate::pullback::joined_gradients;
use crate::{activation::Activation, gradients::Gradients, state::State};

/// Keeps the step of a vector that is 0 finite; larger than the smallest number of `f32`.
const TINY: f64 = 1e-30;

/// `∂E/∂s_k` of free layer `layer`, `[batch, n_units]`.
pub(super) fn of_layer<F: EnergyFunction>(
    function: &F,
    layer: usize,
    input: &Tensor<2>,
    state: &State,
) -> Tensor<2> {
    let value = leaf(state.layer(layer));
    let mut state = state.clone();
    state.set(layer, value.clone());
    let found = backward(function.energy(input, &state).sum());
    slope(&value, found.as_ref())
}

/// `scale · Σ [∂E/∂θ(first) − ∂E/∂θ(second)]` over the batch, for every parameter.
pub(super) fn difference_by_parameters<F: EnergyFunction>(
    function: &F,
    input: &Tensor<2>,
    first: &State,
    second: &State,
    scale: f64,
) -> Gradients {
    let function = lifted(function);
    let difference = function.energy(input, first) - function.energy(input, second);
    let found = backward((difference * scale).sum());
    parameter_slopes(&function, found.as_ref())
}

/// `vᵀ ∂drive/∂z` of free layer `layer` for the parameters, the input and the layers, joined: see
/// [`CustomEnergy`](super::CustomEnergy).
pub(super) fn of_drive<F: EnergyFunction>(
    function: &F,
    layer: usize,
    activation: Activation,
    input: &Tensor<2>,
    state: &State,
    vector: Tensor<2>,
) -> Tensor<1> {
    let value = state.layer(layer);
    let largest = vector.clone().abs().max_dim(1);
    let step = relative_step(value.dtype());
    // Each example moves by the same distance; its vector's length is in the weight.
    let moved = vector * largest.clone().clamp_min(TINY).recip() * step;
    let weight = largest * (0.5 / step);
    let at = |moved: Tensor<2>| {
        let mut state = state.clone();
        state.set(layer, value.clone() + moved);
        of_minus_energy(function, input, &state, &weight, layer, activation)
    };
    at(moved.clone()) - at(moved.neg())
}

/// `Σ weight · ∂(G_k − E)/∂z` over the batch for the parameters; of each example for the input and
/// the layers; joined.
fn of_minus_energy<F: EnergyFunction>(
    function: &F,
    input: &Tensor<2>,
    state: &State,
    weight: &Tensor<2>,
    layer: usize,
    activation: Activation,
) -> Tensor<1> {
    let function = lifted(function);
    let input = leaf(input);
    let leaves = state.map(leaf);
    let energy = function.energy(&input, &leaves).unsqueeze_dim::<2>(1);
    let found = backward((energy * weight.clone() * -1.0).sum());
    let parameters = parameter_slopes(&function, found.as_ref());
    let variables = [&input].into_iter().chain(leaves.layers());
    let mut slopes: Vec<_> = variables.map(|z| slope(z, found.as_ref())).collect();
    let inverse = activation.inverse(state.layer(layer).clone());
    slopes[1 + layer] = slopes[1 + layer].clone() + inverse * weight.clone();
    joined_gradients(&function, &parameters, &slopes)
}

/// A step that balances the truncation error, which is of its second order, with the rounding error,
/// which is inverse to it: the cube root of the machine epsilon.
fn relative_step(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => f64::EPSILON.cbrt(),
        _ => f64::from(f32::EPSILON).cbrt(),
    }
}

/// The module with every float parameter as a variable that requires a gradient.
fn lifted<M: Module>(module: &M) -> M {
    struct Lift;

    impl ModuleMapper for Lift {
        fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let value = parameter.val().without_autodiff().autodiff();
            Param::initialized(parameter.id, value.require_grad())
        }
    }

    module.clone().map(&mut Lift)
}

fn parameter_slopes<M: Module>(module: &M, found: Option<&burn::tensor::Gradients>) -> Gradients {
    struct Slopes<'a>(Option<&'a burn::tensor::Gradients>, Gradients);

    impl ModuleVisitor for Slopes<'_> {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let slope = slope(&parameter.val(), self.0);
            self.1.register(parameter.id, slope);
        }
    }

    let mut slopes = Slopes(found, Gradients::new());
    module.visit(&mut slopes);
    slopes.1
}
