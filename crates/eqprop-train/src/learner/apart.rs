//! Plain gradient descent along gradients that are products.

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::Tensor;
use eqprop_core::descent::Descent;
use eqprop_core::gradients::Gradients;

/// Makes a step of plain gradient descent for each parameter of `module` whose gradient is one of `products`.
pub fn descend_along<M: Module>(
    module: M,
    products: Gradients,
    learning_rate: &ModuleLearningRate,
) -> M {
    module.map(&mut Along {
        products,
        learning_rate,
        path: Vec::new(),
    })
}

struct Along<'a> {
    products: Gradients,
    learning_rate: &'a ModuleLearningRate,
    path: Vec<String>,
}

impl ModuleMapper for Along<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(product) = self.products.remove_product(parameter.id) else {
            return parameter;
        };
        let rate = self
            .learning_rate
            .lr_from_param(parameter.id, Some(&self.path.join(".")));
        let step = |value| Descent::default().step_along(rate, value, &product);
        let (id, value, mapper) = parameter.consume();
        if !value.is_autodiff() {
            return Param::from_mapped_value(id, step(value), mapper);
        }
        // Keep these properties as Burn's optimizers do.
        let (is_trained, checkpointing) = (
            value.is_require_grad(),
            value.gradient_checkpointing_strategy(),
        );
        let mut value = Tensor::from_inner(step(value.inner()));
        if let Some(strategy) = checkpointing {
            value = value.with_gradient_checkpointing_strategy(strategy);
        }
        Param::from_mapped_value(id, value.set_require_grad(is_trained), mapper)
    }
}
