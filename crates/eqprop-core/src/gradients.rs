//! Gradients by parameter, as the core hands them out.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Tensor, container::TensorContainer};

use crate::parameters::{ByParameter, parameters_with};

/// Gradient tensors by [`ParamId`], of any rank.
///
/// The core knows no optimizer; `eqprop-train` turns this into Burn's `GradientsParams`.
#[derive(Debug, Default)]
pub struct Gradients {
    container: TensorContainer<ParamId>,
}

impl Gradients {
    /// No gradients yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the gradient of parameter `id`, replacing one that is already there.
    pub fn register<const D: usize>(&mut self, id: ParamId, gradient: Tensor<D>) {
        self.container.register(id, gradient);
    }

    /// The gradient of parameter `id`.
    pub fn get<const D: usize>(&self, id: ParamId) -> Option<Tensor<D>> {
        self.container.get(&id)
    }

    /// Adds the gradients of `other` for the float parameters of `module` to these.
    pub fn add<M: Module>(&mut self, other: &Self, module: &M) {
        struct Sum<'a>(&'a mut Gradients);

        impl GradientVisitor for Sum<'_> {
            fn visit<const D: usize>(&mut self, parameter: &Param<Tensor<D>>, term: Tensor<D>) {
                let sum = match self.0.get::<D>(parameter.id) {
                    Some(sum) => sum + term,
                    None => term,
                };
                self.0.register(parameter.id, sum);
            }
        }

        other.visit(module, &mut Sum(self));
    }

    /// All gradients of the float parameters of `module` as one list, in the order in which it
    /// visits them. Reads back, which waits for the device.
    pub fn to_vec<M: Module>(&self, module: &M) -> Vec<f64> {
        let found = parameters_with(module, self).into_iter();
        let gradients = found.filter_map(|(_, gradient)| gradient);
        let numbers = |gradient: Tensor<1>| gradient.into_data().iter().collect::<Vec<f64>>();
        gradients.flat_map(numbers).collect()
    }

    /// Number of parameters that have a gradient.
    pub fn len(&self) -> usize {
        self.container.len()
    }

    /// Whether no parameter has a gradient.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `visitor` with each float parameter of `module` that has a gradient.
    pub fn visit<M: Module>(&self, module: &M, visitor: &mut impl GradientVisitor) {
        module.visit(&mut Pairs {
            gradients: self,
            visitor,
        });
    }
}

impl ByParameter for Gradients {
    fn get<const D: usize>(&self, id: ParamId) -> Option<Tensor<D>> {
        self.get(id)
    }
}

/// What to do with a parameter and its gradient.
pub trait GradientVisitor {
    /// Called once per parameter that has a gradient.
    fn visit<const D: usize>(&mut self, parameter: &Param<Tensor<D>>, gradient: Tensor<D>);
}

struct Pairs<'a, V> {
    gradients: &'a Gradients,
    visitor: &'a mut V,
}

impl<V: GradientVisitor> ModuleVisitor for Pairs<'_, V> {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(parameter.id) {
            self.visitor.visit(parameter, gradient);
        }
    }
}
