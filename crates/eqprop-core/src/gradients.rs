//! Gradients by parameter.

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Tensor, container::TensorContainer};

use crate::fused::operations;
use crate::parameters::{ByParameter, parameters_with};

/// Gradient tensors of any rank, by [`ParamId`].
///
/// The core knows no optimizer; `eqprop-train` turns this into Burn's `GradientsParams`.
#[derive(Debug, Default)]
pub struct Gradients {
    container: TensorContainer<ParamId>,
    products: HashMap<ParamId, OuterProduct>,
}

/// The gradient of dense weights in factored form: `Σ before ⊗ after` over the rows of the presynaptic and
/// the postsynaptic factor. They have fewer numbers than the weights, and an update can be formed from them
/// at once.
#[derive(Debug, Clone)]
pub struct OuterProduct {
    before: Tensor<2>,
    after: Tensor<2>,
}

impl OuterProduct {
    /// `beforeᵀ after`
    ///
    /// # Shapes
    /// - `[rows, n_in]` and `[rows, n_out]`
    pub(crate) fn new([before, after]: [Tensor<2>; 2]) -> Self {
        Self { before, after }
    }

    /// Computes the gradient, `[n_in, n_out]`.
    pub fn form(&self) -> Tensor<2> {
        operations::product_over_rows(&self.before, &self.after)
    }

    /// The shape of the weights.
    pub(crate) fn shape(&self) -> [usize; 2] {
        [&self.before, &self.after].map(|factor| factor.dims()[1])
    }

    /// The presynaptic and the postsynaptic factor.
    pub(crate) fn factors(&self) -> [&Tensor<2>; 2] {
        [&self.before, &self.after]
    }
}

impl Gradients {
    /// Creates an empty collection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the gradient of parameter `id`, replacing any previous one.
    pub fn register<const D: usize>(&mut self, id: ParamId, gradient: Tensor<D>) {
        self.products.remove(&id);
        self.container.register(id, gradient);
    }

    /// Adds the gradient of dense weights `id`, replacing any previous one.
    pub(crate) fn register_product(&mut self, id: ParamId, gradient: OuterProduct) {
        self.container.remove::<Tensor<2>>(&id);
        self.products.insert(id, gradient);
    }

    /// Removes the gradients that are still outer products, and returns them as gradients of their own.
    pub fn split_products(&mut self) -> Self {
        Self {
            products: core::mem::take(&mut self.products),
            ..Self::default()
        }
    }

    /// Removes and returns the gradient of parameter `id` if it is still an outer product.
    pub fn remove_product(&mut self, id: ParamId) -> Option<OuterProduct> {
        self.products.remove(&id)
    }

    /// Returns the gradient of parameter `id`.
    pub fn get<const D: usize>(&self, id: ParamId) -> Option<Tensor<D>> {
        self.container.get(&id).or_else(|| {
            let formed = self.products.get(&id)?.form();
            let shape: [usize; D] = formed.dims().as_slice().try_into().ok()?;
            Some(formed.reshape(shape))
        })
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

    /// Returns all gradients of the float parameters of `module` as one list, in the order in which the
    /// module visits them. Reads them back, which waits for the device.
    pub fn to_vec<M: Module>(&self, module: &M) -> Vec<f64> {
        let found = parameters_with(module, self).into_iter();
        let gradients = found.filter_map(|(_, gradient)| gradient);
        let numbers = |gradient: Tensor<1>| gradient.into_data().iter().collect::<Vec<f64>>();
        gradients.flat_map(numbers).collect()
    }

    /// Returns the number of parameters that have a gradient.
    pub fn len(&self) -> usize {
        self.container.len() + self.products.len()
    }

    /// Returns whether no parameter has a gradient.
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

/// A visitor of parameters and their gradients.
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
