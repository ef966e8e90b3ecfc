//! The parameters of a module, as a list.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

/// A float parameter.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Path in its module, such as `connections.0.Dense.weight`.
    pub path: String,
    /// Identifier in Burn's optimizers.
    pub id: ParamId,
    /// Number of dimensions.
    pub rank: usize,
    /// Values as a vector; on autodiff if the parameter is.
    pub values: Tensor<1>,
}

/// Tensors by parameter, such as gradients.
pub trait ByParameter {
    /// Returns the tensor of parameter `id`, if it has one.
    fn get<const D: usize>(&self, id: ParamId) -> Option<Tensor<D>>;
}

/// No tensors.
impl ByParameter for () {
    fn get<const D: usize>(&self, _id: ParamId) -> Option<Tensor<D>> {
        None
    }
}

/// Returns every float parameter of `module`, in the order in which the module visits them.
pub fn parameters<M: Module>(module: &M) -> Vec<Parameter> {
    let all = parameters_with(module, &()).into_iter();
    all.map(|(parameter, _)| parameter).collect()
}

/// Returns every float parameter of `module`, each with its tensor in `tensors` as a vector.
pub fn parameters_with<M: Module>(
    module: &M,
    tensors: &impl ByParameter,
) -> Vec<(Parameter, Option<Tensor<1>>)> {
    struct Collector<'a, T> {
        tensors: &'a T,
        path: Vec<String>,
        found: Vec<(Parameter, Option<Tensor<1>>)>,
    }

    impl<T: ByParameter> ModuleVisitor for Collector<'_, T> {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_string());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let tensor = self.tensors.get::<D>(parameter.id).map(flat);
            let parameter = Parameter {
                path: self.path.join("."),
                id: parameter.id,
                rank: D,
                values: flat(parameter.val()),
            };
            self.found.push((parameter, tensor));
        }
    }

    let mut collector = Collector {
        tensors,
        path: Vec::new(),
        found: Vec::new(),
    };
    module.visit(&mut collector);
    collector.found
}

/// The values of a tensor as a vector.
pub(crate) fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let n = tensor.shape().num_elements();
    tensor.reshape([n])
}
