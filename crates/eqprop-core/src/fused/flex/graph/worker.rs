//! Relaxation of some examples of a batch.

use core::ops::Range;

use super::plan::{BesideOutput, Direction, GraphPlan, OutputNumbers, Term};
use crate::fused::Update;
use crate::fused::flex::batch::{Worker, measure};
use crate::fused::flex::floats::Floats;
use crate::fused::flex::packed::PackedConnection;
use crate::kernel::convolution::{Pooled, Scratch};
use crate::kernel::epilogue::{Base, Epilogue, Rule};
use crate::kernel::pair::{Order, Pair};
use crate::kernel::response::{Response, clip, respond};
use crate::kernel::simd::{dispatch, vectorized};
use crate::kernel::{Left, ZeroPattern};

/// Some examples of the batch, relaxed on one thread.
pub struct GraphWorker<'a> {
    plan: &'a GraphPlan<'a>,
    /// Indices of the examples.
    rows: Range<usize>,
    /// Number of threads among which the columns of a product are divided.
    n_threads: usize,
    /// Their current state, layer by layer.
    state: Vec<Vec<f32>>,
    /// The drive of each layer, then its new state; after a step, the state before it.
    next: Vec<Vec<f32>>,
    constant: Vec<Vec<f32>>,
    /// Offset of each example in the state of each layer.
    starts: Vec<Vec<usize>>,
    pooled: Vec<Pooled>,
    scratch: Scratch,
    /// Where the state of each layer was nonzero when it was last a factor of a product.
    zeros: Vec<ZeroPattern>,
    /// For each example, the largest change of any unit in the last step.
    change: Vec<f32>,
}

impl<'a> GraphWorker<'a> {
    pub fn new(
        plan: &'a GraphPlan<'a>,
        rows: Range<usize>,
        n_threads: usize,
        start: &[Floats],
    ) -> Self {
        let n_layers = plan.sizes.len();
        let cut = |all: &Floats, layer: usize| {
            let n = plan.sizes[layer];
            plan.orders[layer].reorder(&all.slice()[rows.start * n..rows.end * n])
        };
        let state: Vec<_> = (0..n_layers).map(|k| cut(&start[k], k)).collect();
        let constant = (0..n_layers).map(|k| cut(&plan.constants[k], k));
        Self {
            plan,
            constant: constant.collect(),
            next: state.iter().map(|layer| vec![0.0; layer.len()]).collect(),
            starts: plan
                .sizes
                .iter()
                .map(|n| (0..rows.len()).map(|row| row * n).collect())
                .collect(),
            pooled: plan.connections.iter().map(|_| Pooled::default()).collect(),
            scratch: Scratch::default(),
            zeros: plan.sizes.iter().map(|_| ZeroPattern::default()).collect(),
            change: vec![0.0; rows.len()],
            state,
            rows,
            n_threads,
        }
    }

    fn step(&mut self) {
        let plan = self.plan;
        if let Some(beside) = plan.beside_output {
            return self.step_beside(beside);
        }
        match plan.update {
            Update::InTurn => {
                for &layer in plan.groups.iter().flatten() {
                    self.find_next(layer, None);
                    self.take_next(layer);
                }
            }
            Update::AtOnce => self.step_together(None),
            Update::Flow(step_size) => self.step_together(Some(step_size as f32)),
        }
    }

    /// Updates the output and the layer beside it in one pass.
    fn step_beside(&mut self, beside: BesideOutput<'_>) {
        let plan = self.plan;
        let BesideOutput {
            layer,
            weights,
            bounds,
        } = beside;
        let output = plan.sizes.len() - 1;
        let [out, short_out] = self
            .next
            .get_disjoint_mut([layer, output])
            .expect("two layers");
        let state = &self.state[layer];
        let (order, step_size) = match plan.update {
            Update::InTurn => (Order::InTurn, None),
            Update::AtOnce => {
                let step_size = 1.0;
                (Order::AtOnce { state, step_size }, None)
            }
            Update::Flow(step_size) => {
                let step_size = step_size as f32;
                (Order::AtOnce { state, step_size }, Some(step_size))
            }
        };
        dispatch(Pair {
            weights,
            short: &self.state[output],
            base: &self.constant[layer],
            bounds,
            order,
            out,
            short_base: &self.constant[output],
            short_out,
        });
        self.respond(output, step_size);
        self.take_next(layer);
        self.take_next(output);
    }

    /// Updates all layers from the state before the step.
    fn step_together(&mut self, step_size: Option<f32>) {
        let n_layers = self.state.len();
        (0..n_layers).for_each(|layer| self.find_next(layer, step_size));
        (0..n_layers).for_each(|layer| self.take_next(layer));
    }

    fn take_next(&mut self, layer: usize) {
        core::mem::swap(&mut self.state[layer], &mut self.next[layer]);
        for term in &self.plan.terms[layer] {
            if term.direction == Direction::Backward {
                self.pooled[term.connection].is_current = false;
            }
        }
    }

    /// Computes the new state of a layer: `σ(drive)`, or a step of gradient flow.
    fn find_next(&mut self, layer: usize, step_size: Option<f32>) {
        let plan = self.plan;
        let is_output = layer + 1 == plan.sizes.len();
        let n = plan.sizes[layer];
        let examples = self.rows.start * n..self.rows.end * n;
        let is_nudged = match &plan.output {
            OutputNumbers::Clamped(value) if is_output => {
                self.next[layer].copy_from_slice(&value.slice()[examples]);
                return;
            }
            OutputNumbers::Nudged { .. } => is_output,
            _ => false,
        };
        let rule = match plan.responses[layer] {
            Response::Clip(bounds) if !is_nudged => Some(bounds),
            _ => None,
        };
        if !self.collect_drive(layer, rule, step_size) {
            self.respond(layer, step_size);
        }
    }

    /// Puts the drive of a layer into `self.next`, or, if there are bounds and the last term is a product,
    /// the new state; returns whether it is the new state.
    fn collect_drive(
        &mut self,
        layer: usize,
        bounds: Option<[f32; 2]>,
        step_size: Option<f32>,
    ) -> bool {
        let plan = self.plan;
        let terms = &plan.terms[layer];
        let next = &mut self.next[layer];
        let starts_with_product = match terms.first() {
            Some(term) => matches!(
                plan.connections[term.connection],
                PackedConnection::Dense(_)
            ),
            None => false,
        };
        if !starts_with_product {
            next.copy_from_slice(&self.constant[layer]);
        }
        for (index, &term) in terms.iter().enumerate() {
            let Term {
                connection,
                sender,
                direction,
            } = term;
            let sent = &self.state[sender];
            match plan.connections[connection] {
                PackedConnection::Dense(dense) => {
                    let left = Left::matrix(sent, &self.starts[sender], plan.sizes[sender]);
                    let base = match index {
                        0 => Base::Other(&self.constant[layer]),
                        _ => Base::Out,
                    };
                    let is_last = index + 1 == terms.len();
                    let rule = match (bounds.filter(|_| is_last), step_size) {
                        (None, _) => Rule::Keep,
                        (Some(bounds), None) => Rule::Clip { bounds },
                        (Some(bounds), Some(step_size)) => Rule::Flow {
                            state: &self.state[layer],
                            step_size,
                            bounds,
                        },
                    };
                    let epilogue = Epilogue { base, rule };
                    let zeros = &mut self.zeros[sender];
                    let out = (&mut next[..], plan.sizes[layer]);
                    let n_threads = self.n_threads;
                    // Where `relax` divides columns, it packs once.
                    let is_packed_once = n_threads > 1 && dense.forward_serves_both();
                    if direction == Direction::Backward && is_packed_once {
                        let right = dense.forward();
                        right.multiply_transposed(n_threads, left, epilogue, out);
                    } else {
                        let right = match direction {
                            Direction::Forward => dense.forward(),
                            Direction::Backward => dense.backward(),
                        };
                        right.multiply_on(n_threads, left, epilogue, out, zeros);
                    }
                    if is_last {
                        return bounds.is_some();
                    }
                }
                PackedConnection::Convolution(convolution) => {
                    let (pooled, scratch) = (&mut self.pooled[connection], &mut self.scratch);
                    match direction {
                        Direction::Forward => {
                            convolution.forward(sent, pooled, scratch);
                            add(next, &pooled.values);
                        }
                        Direction::Backward => {
                            if convolution.has_winners() {
                                convolution.forward(&self.state[layer], pooled, scratch);
                            }
                            convolution.backward(sent, pooled, next, scratch);
                        }
                    }
                }
                PackedConnection::Identity => add(next, sent),
            }
        }
        false
    }

    /// Turns the drive in `self.next` into the new state of the layer.
    fn respond(&mut self, layer: usize, step_size: Option<f32>) {
        let plan = self.plan;
        let (next, state) = (&mut self.next[layer], &self.state[layer]);
        let n = plan.sizes[layer];
        let is_output = layer + 1 == plan.sizes.len();
        let examples = self.rows.start * n..self.rows.end * n;
        match (&plan.output, plan.responses[layer]) {
            (
                OutputNumbers::Nudged {
                    beta,
                    target,
                    offset,
                    shrink,
                },
                Response::Clip(bounds),
            ) if is_output => {
                let units = next.chunks_exact_mut(n).zip(state.chunks_exact(n));
                match step_size {
                    None => {
                        let nudges = offset.slice()[examples].chunks_exact(n);
                        let nudges = nudges.zip(self.rows.clone());
                        for ((next, _), (offset, example)) in units.zip(nudges) {
                            let nudge = offset.iter().zip(shrink.of_example(example));
                            for (next, (offset, shrink)) in next.iter_mut().zip(nudge) {
                                *next = clip((*next + offset) * shrink, bounds);
                            }
                        }
                    }
                    Some(step_size) => {
                        let keep = 1.0 - step_size;
                        let nudges = target.slice()[examples].chunks_exact(n);
                        let nudges = nudges.zip(self.rows.clone());
                        for ((next, state), (target, example)) in units.zip(nudges) {
                            let nudge = target.iter().zip(beta.of_example(example));
                            for ((next, s), (target, beta)) in next.iter_mut().zip(state).zip(nudge)
                            {
                                let drive = *next + (target - s) * beta;
                                *next = clip(s * keep + drive * step_size, bounds);
                            }
                        }
                    }
                }
            }
            (_, response) => respond(response, step_size, n, state, next),
        }
    }
}

impl Worker for GraphWorker<'_> {
    fn run(&mut self, n_steps: usize) {
        for _ in 0..n_steps {
            self.step();
        }
        self.change.fill(0.0);
        for (layer, &n) in self.plan.sizes.iter().enumerate() {
            measure(&self.state[layer], &self.next[layer], n, &mut self.change);
        }
    }

    fn change(&self) -> &[f32] {
        &self.change
    }

    fn write(&self, layer: usize, out: &mut [f32]) {
        self.plan.orders[layer].restore(&self.state[layer], out);
    }
}

fn add(sum: &mut [f32], term: &[f32]) {
    vectorized(
        #[inline(always)]
        || {
            for (sum, term) in sum.iter_mut().zip(term) {
                *sum += term;
            }
        },
    );
}
