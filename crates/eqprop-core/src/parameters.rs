//! The parameters of a module, as a list.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

/// A float parameter.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Where it is in its module, such as `connections.0.Dense.weight`.
    pub path: String,
    /// By which Burn's optimizers know it.
    pub id: ParamId,
    /// Its values, as a vector; on autodiff as the parameter is.
    pub values: Tensor<1>,
}

/// Every float parameter of `module`, in the order in which it visits them.
pub fn parameters<M: Module>(module: &M) -> Vec<Parameter> {
    #[derive(Default)]
    struct Collector {
        path: Vec<String>,
        found: Vec<Parameter>,
    }

    impl ModuleVisitor for Collector {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_string());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            self.found.push(Parameter {
                path: self.path.join("."),
                id: parameter.id,
                values: flat(parameter.val()),
            });
        }
    }

    let mut collector = Collector::default();
    module.visit(&mut collector);
    collector.found
}

/// The values of a tensor as a vector.
pub(crate) fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let n = tensor.shape().num_elements();
    tensor.reshape([n])
}
