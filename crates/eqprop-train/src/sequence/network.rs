//! A sequence network: systems and a cost, which hold all parameters.

use burn::module::Module;
use burn::tensor::Tensor;
use eqprop_core::cost::Cost;
use eqprop_core::sequence::{HamiltonianSystem, Motion, Potential};

/// Positions of the last system that enter the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supervision {
    /// The last position: `L = C(y_T)`.
    AtEnd,
    /// The positions after every input, each with a target of its own: `L = 1/T Σ_t C(y_t)`.
    AtEveryInput,
}

/// A chain of systems that drive each other, and the cost of the last one's positions.
///
/// ```text
/// inputs ─→ system 1 ─ positions after every input ─→ system 2 ─→ … ─→ C(y)
/// ```
#[derive(Module, Debug)]
pub struct SequenceNetwork<P: Potential, C: Cost> {
    /// Systems; the first is driven by the inputs.
    pub systems: Vec<HamiltonianSystem<P>>,
    /// Cost of the last system's positions, with the readout if there is one.
    pub cost: C,
    #[module(skip)]
    supervision: Supervision,
}

/// Result of driving the systems with a batch of sequences.
#[derive(Debug, Clone)]
pub struct SequenceCourse {
    /// Inputs of each system, `[batch, n_steps, n_inputs]`.
    pub inputs: Vec<Tensor<3>>,
    /// Initial and final motion of each system.
    pub ends: Vec<[Motion; 2]>,
    /// Supervised positions, one per row: `[batch, n_units]`, or `[batch · n_steps, n_units]` with those
    /// after every input.
    pub output: Tensor<2>,
}

impl<P: Potential, C: Cost> SequenceNetwork<P, C> {
    /// Creates a network whose systems start at rest and which is supervised at the end.
    ///
    /// # Panics
    /// If there is no system, or the number of inputs of one differs from the number of units of the one
    /// before, or the cost has costs of layers before the output.
    pub fn new(systems: Vec<HamiltonianSystem<P>>, cost: C) -> Self {
        assert!(!systems.is_empty(), "a network needs at least one system");
        for (index, pair) in systems.windows(2).enumerate() {
            let (n_units, n_inputs) = (pair[0].potential.n_units(), pair[1].potential.n_inputs());
            assert!(
                n_units == n_inputs,
                "system {} must have as many inputs as system {} has units, {n_units}, but has {n_inputs}",
                index + 2,
                index + 1
            );
        }
        assert!(
            cost.locals().is_empty(),
            "a system has no layers before its output, but the cost has costs of such layers"
        );
        Self {
            systems,
            cost,
            supervision: Supervision::AtEnd,
        }
    }

    /// Sets the supervised positions.
    pub fn with_supervision(mut self, supervision: Supervision) -> Self {
        self.supervision = supervision;
        self
    }

    /// Returns which positions are supervised.
    pub fn supervision(&self) -> Supervision {
        self.supervision
    }

    /// Returns the rows of a batch as sequences, as a view: the values of the first input, then those of the
    /// second.
    ///
    /// # Shapes
    /// - `input`: `[batch, n_steps · n_inputs]`, result: `[batch, n_steps, n_inputs]`
    ///
    /// # Panics
    /// If the width of a row is not a positive multiple of the number of inputs.
    pub fn sequences(&self, input: &Tensor<2>) -> Tensor<3> {
        let ([batch, width], n_inputs) = (input.dims(), self.systems[0].potential.n_inputs());
        assert!(
            width > 0 && width.is_multiple_of(n_inputs),
            "a sequence of inputs of {n_inputs} values each has a multiple of that, but a row has {width}"
        );
        input.clone().reshape([batch, width / n_inputs, n_inputs])
    }

    /// Returns the targets of the supervised positions, one per row.
    ///
    /// # Shapes
    /// - `target`: `[batch, n_outputs]`, or `[batch, n_steps · n_outputs]` if every position is supervised
    ///
    /// # Panics
    /// If a row cannot be split into as many targets as there are inputs.
    pub fn targets(&self, target: &Tensor<2>, n_steps: usize) -> Tensor<2> {
        let [batch, width] = target.dims();
        match self.supervision {
            Supervision::AtEnd => target.clone(),
            Supervision::AtEveryInput => {
                assert!(
                    width.is_multiple_of(n_steps),
                    "every one of {n_steps} inputs needs a target, but a row of targets has {width} numbers, \
                     which is no multiple of that"
                );
                target.clone().reshape([batch * n_steps, width / n_steps])
            }
        }
    }

    /// Drives the systems from rest with `inputs`. With parameters on autodiff every step is recorded.
    ///
    /// # Shapes
    /// - `inputs`: `[batch, n_steps, n_inputs]`
    ///
    /// # Panics
    /// As for [`HamiltonianSystem::run`].
    pub fn run(&self, inputs: Tensor<3>) -> SequenceCourse {
        let last = self.systems.len() - 1;
        let mut course = SequenceCourse {
            output: Tensor::empty([0, 0], &inputs.device()),
            inputs: vec![inputs],
            ends: Vec::new(),
        };
        for (index, system) in self.systems.iter().enumerate() {
            let inputs = &course.inputs[index];
            let start = system.rest(inputs);
            let is_seen = index < last || self.supervision == Supervision::AtEveryInput;
            let mut positions = Vec::new();
            let end = system.run_observed(inputs, start.clone(), |motion| {
                if is_seen {
                    positions.push(motion.position.clone());
                }
            });
            course.output = end.position.clone();
            if is_seen {
                let positions: Tensor<3> = Tensor::stack(positions, 1);
                match index < last {
                    true => course.inputs.push(positions),
                    false => course.output = positions.flatten(0, 1),
                }
            }
            course.ends.push([start, end]);
        }
        course
    }
}
