//! Gradients as lists of numbers: each must have the shape and number format of its parameter, and
//! lie outside autodiff.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use eqprop_core::gradients::{GradientVisitor, Gradients};

use crate::list::{Lists, values};
use crate::parameter::ids;

/// Returns the gradient of every parameter of `module`, in the order of the fields, from the gradients
/// of the core. There may be others.
pub fn gradients_in<M: Module>(module: &M, gradients: &Gradients) -> Lists {
    struct Visitor(Lists);

    impl GradientVisitor for Visitor {
        fn visit<const D: usize>(&mut self, parameter: &Param<Tensor<D>>, gradient: Tensor<D>) {
            self.0.push(checked(parameter, &gradient));
        }
    }

    let mut visitor = Visitor(Vec::new());
    gradients.visit(module, &mut visitor);
    let n_parameters = ids(module).len();
    assert_eq!(visitor.0.len(), n_parameters, "a parameter has no gradient");
    visitor.0
}

/// Returns the gradient of every parameter of `module`, in the order of the fields, from the gradients
/// of an estimator: there are no others.
pub fn gradients_of<M: Module>(module: &M, gradients: &GradientsParams) -> Lists {
    struct Visitor<'a>(&'a GradientsParams, Lists);

    impl ModuleVisitor for Visitor<'_> {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let gradient: Option<Tensor<D>> = self.0.get(parameter.id);
            let gradient = gradient.expect("every parameter has a gradient");
            self.1.push(checked(parameter, &gradient));
        }
    }

    let mut visitor = Visitor(gradients, Vec::new());
    module.visit(&mut visitor);
    assert_eq!(gradients.len(), visitor.1.len());
    visitor.1
}

fn checked<const D: usize>(parameter: &Param<Tensor<D>>, gradient: &Tensor<D>) -> Vec<f64> {
    assert_eq!(gradient.shape(), parameter.lazy_shape());
    assert_eq!(gradient.dtype(), parameter.val().dtype());
    assert!(!gradient.is_autodiff() && !gradient.is_require_grad());
    values(gradient)
}
