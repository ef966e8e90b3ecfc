//! Systems with the cost of what they do: all that has parameters.

use burn::module::Module;
use burn::tensor::Tensor;
use eqprop_core::cost::Cost;
use eqprop_core::sequence::{HamiltonianSystem, Motion, Potential};

/// Which positions of the last system are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supervision {
    /// The last one: `L = C(y_T)`.
    AtEnd,
    /// Those after every input, each with a target of its own: `L = 1/T Σ_t C(y_t)`.
    AtEveryInput,
}

/// Systems that drive each other, and the cost of the positions of the last.
///
/// ```text
/// inputs ─→ system 1 ─ positions after every input ─→ system 2 ─→ … ─→ C(y)
/// ```
#[derive(Module, Debug)]
pub struct SequenceNetwork<P: Potential, C: Cost> {
    /// The systems, the first of which is driven by the inputs.
    pub systems: Vec<HamiltonianSystem<P>>,
    /// What the last one's positions are judged by, with the readout if there is one.
    pub cost: C,
    #[module(skip)]
    supervision: Supervision,
}

/// What a batch of sequences made the systems do.
#[derive(Debug, Clone)]
pub struct SequenceCourse {
    /// What drove each system, `[batch, n_steps, n_inputs]`.
    pub inputs: Vec<Tensor<3>>,
    /// Where each system began, and where it ended.
    pub ends: Vec<[Motion; 2]>,
    /// The positions that are judged, a row each: `[batch, n_units]`, or `[batch · n_steps, n_units]` with those after
    /// every input.
    pub output: Tensor<2>,
}

impl<P: Potential, C: Cost> SequenceNetwork<P, C> {
    /// Systems that start at rest, judged at the end.
    ///
    /// # Panics
    /// If there is no system, or one has not as many inputs as the one before has units.
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
        Self {
            systems,
            cost,
            supervision: Supervision::AtEnd,
        }
    }

    /// Judges other positions.
    pub fn with_supervision(mut self, supervision: Supervision) -> Self {
        self.supervision = supervision;
        self
    }

    /// Which positions are judged.
    pub fn supervision(&self) -> Supervision {
        self.supervision
    }

    /// The rows of a batch as sequences, which is a view of them: the values of the first input, then those of the second.
    ///
    /// # Shapes
    /// - `input`: `[batch, n_steps · n_inputs]`, result: `[batch, n_steps, n_inputs]`
    ///
    /// # Panics
    /// If a row is not a number of inputs.
    pub fn sequences(&self, input: &Tensor<2>) -> Tensor<3> {
        let ([batch, width], n_inputs) = (input.dims(), self.systems[0].potential.n_inputs());
        assert!(
            width > 0 && width.is_multiple_of(n_inputs),
            "a sequence of inputs of {n_inputs} values each has a multiple of that, but a row has {width}"
        );
        input.clone().reshape([batch, width / n_inputs, n_inputs])
    }

    /// The targets of the positions that are judged, a row each.
    ///
    /// # Shapes
    /// - `target`: `[batch, n_outputs]`, or `[batch, n_steps · n_outputs]` where every position is judged
    ///
    /// # Panics
    /// If a row cannot be cut into as many targets as there are inputs.
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

    /// Where `inputs` lead the systems from rest. With parameters on autodiff every step is recorded.
    ///
    /// # Shapes
    /// - `inputs`: `[batch, n_steps, n_inputs]`
    ///
    /// # Panics
    /// As [`HamiltonianSystem::run`].
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
