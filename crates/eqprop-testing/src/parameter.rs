//! The parameters of a module, read and replaced.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Tensor, TensorData};

use crate::list::{Lists, values};
use crate::setup::Setup;

/// Returns `module` with the numbers of every parameter, in the order of its fields, replaced.
pub fn filled<M: Module>(module: M, setup: &Setup, fill: impl FnMut(usize) -> Vec<f64>) -> M {
    struct Fill<'a, F> {
        setup: &'a Setup,
        fill: F,
    }

    impl<F: FnMut(usize) -> Vec<f64>> ModuleMapper for Fill<'_, F> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            // Reading the value instead would draw from the device's random numbers.
            let shape = param.lazy_shape();
            let numbers = (self.fill)(shape.num_elements());
            assert_eq!(numbers.len(), shape.num_elements());
            let options = (&self.setup.device, self.setup.dtype);
            let tensor = Tensor::from_data(TensorData::new(numbers, shape), options);
            // A parameter made anew from a plain tensor would stay frozen on autodiff.
            Param::initialized(param.id, tensor).set_require_grad(true)
        }
    }

    module.map(&mut Fill { setup, fill })
}

/// Returns `module` with `numbers` for its parameters, one list for all.
pub fn filled_with<M: Module>(module: M, setup: &Setup, numbers: &[f64]) -> M {
    let mut rest = numbers;
    filled(module, setup, |n| {
        let (first, others) = rest.split_at(n);
        rest = others;
        first.to_vec()
    })
}

/// Returns the numbers of every parameter, in the order of the fields.
pub fn parameters<M: Module>(module: &M) -> Lists {
    let named = named_parameters(module).into_iter();
    named.map(|(_, numbers)| numbers).collect()
}

/// Returns the path and the numbers of every parameter, in the order of the fields.
pub fn named_parameters<M: Module>(module: &M) -> Vec<(String, Vec<f64>)> {
    let found = visited(module).into_iter();
    found.map(|(path, _, numbers)| (path, numbers)).collect()
}

/// Returns the id of every parameter, in the order of the fields.
pub fn ids<M: Module>(module: &M) -> Vec<ParamId> {
    visited(module).into_iter().map(|(_, id, _)| id).collect()
}

fn visited<M: Module>(module: &M) -> Vec<(String, ParamId, Vec<f64>)> {
    #[derive(Default)]
    struct Visitor {
        path: Vec<String>,
        found: Vec<(String, ParamId, Vec<f64>)>,
    }

    impl ModuleVisitor for Visitor {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_string());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let numbers = values(&parameter.val().without_autodiff());
            self.found
                .push((self.path.join("."), parameter.id, numbers));
        }
    }

    let mut visitor = Visitor::default();
    module.visit(&mut visitor);
    visitor.found
}

/// Returns the learning-rate group of a learner's parameter, by its path: its layer, or `n_layers` for
/// the readout.
pub fn group_of(path: &str, n_layers: usize) -> usize {
    match path.split('.').collect::<Vec<_>>()[..] {
        [
            "network",
            "energy",
            _,
            "connections" | "biases" | "feedback",
            layer,
            ..,
        ]
        | [
            "network",
            "energy",
            _,
            "forward",
            "connections" | "biases",
            layer,
            ..,
        ] => layer.parse().expect(path),
        ["network", "cost", ..] => n_layers,
        _ => panic!("unknown parameter {path}"),
    }
}
