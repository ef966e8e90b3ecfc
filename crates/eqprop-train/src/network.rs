//! An energy with its cost: all that has parameters.

use burn::module::Module;
use burn::tensor::Tensor;
use eqprop_core::cost::Cost;
use eqprop_core::energy::Energy;

/// A network that predicts by relaxing: an energy and the cost of its output.
#[derive(Module, Debug)]
pub struct EquilibriumNetwork<E: Energy, C: Cost> {
    /// What the network relaxes.
    pub energy: E,
    /// What its output is judged by, with the readout if there is one.
    pub cost: C,
}

impl<E: Energy, C: Cost> EquilibriumNetwork<E, C> {
    /// Puts an energy and a cost together.
    pub fn new(energy: E, cost: C) -> Self {
        Self { energy, cost }
    }

    /// The predicted class of each example, from the output of an equilibrium.
    ///
    /// # Shapes
    /// - `output`: `[batch, n_units]`, result: `[batch, 1]`
    pub fn predict(&self, output: &Tensor<2>) -> Tensor<2, burn::tensor::Int> {
        self.cost.scores(output).argmax(1)
    }
}

/// Draws all weights that have not been drawn yet.
pub(crate) fn materialize<M: Module>(module: &M) {
    struct Use;

    impl burn::module::ModuleVisitor for Use {
        fn visit_float<const D: usize>(&mut self, parameter: &burn::module::Param<Tensor<D>>) {
            parameter.val();
        }
    }

    module.visit(&mut Use);
}
