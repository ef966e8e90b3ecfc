//! Burn's distributed data parallelism, which cannot train an equilibrium network.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// Refuses parameters that Burn has marked as distributed.
///
/// `ExecutionStrategy::DistributedDataParallel` gives each device a replica and marks its
/// parameters, so that autodiff's backward pass reduces their gradients over all devices. Gradients
/// that come from somewhere else are not reduced, and nothing would say so: each replica would
/// follow its own share of the data.
///
/// # Panics
/// If a parameter of `module` is marked.
pub(super) fn refuse<M: Module>(module: &M) {
    struct Marks(bool);

    impl ModuleVisitor for Marks {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let tensor = parameter.val();
            // Burn has no answer for a tensor outside autodiff, and no mark on one.
            self.0 |= tensor.is_autodiff() && tensor.is_distributed();
        }
    }

    let mut marks = Marks(false);
    module.visit(&mut marks);
    assert!(
        !marks.0,
        "DistributedDataParallel reduces gradients inside autodiff's backward pass, which the \
         gradients of an equilibrium network do not come from: the replicas would drift apart. Use \
         ExecutionStrategy::multi, which adds up gradients wherever they come from"
    );
}
