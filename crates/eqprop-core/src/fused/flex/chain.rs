//! Relaxation of a chain of layers, each predicted from the one below.

use core::ops::Range;

use burn::tensor::Tensor;

use super::batch::{Worker, collect, gathered, measure, n_threads, run, share_out};
use super::floats::{Floats, PerUnit};
use super::packed::{PackedDense, response};
use crate::fused::{Output, Predictions, Problem, QuadraticNudge, Settled, Update};
use crate::kernel::epilogue::{Base, Epilogue, Rule};
use crate::kernel::response::{Response, apply, clip, error};
use crate::kernel::{Left, ZeroPattern};
use crate::state::State;

/// Runs asynchronous steps from the state in which every layer equals its prediction, with the output
/// nudged; `None` for any other relaxation, or if a part of it is not supported here.
pub fn relax(problem: &Problem<'_>, chain: &Predictions<'_>, start: &State) -> Option<Settled> {
    let (update, stopping) = (problem.update, problem.stopping);
    let mut layers = 0..problem.layers.len();
    let is_pass = layers.all(|layer| start.version(layer) == chain.pass.version(layer));
    let (Update::InTurn, true, Output::Nudged(nudge)) = (update, is_pass, problem.output) else {
        return None;
    };
    let plan = ChainPlan::new(problem, chain, nudge)?;
    let device = start.device();
    let batch = start.batch_size();
    let n_outputs = plan.sizes.last()? * batch;
    // Mismatched tensors go step by step, where the shapes are compared.
    if plan.offset.slice().len() != n_outputs || !plan.shrink.is_for([batch, n_outputs / batch]) {
        return None;
    }
    let work = plan.connections.iter().map(|connection| connection.work());
    let n_threads = n_threads(batch, stopping.max_steps, work.sum());
    let mut workers = share_out(batch, [n_threads; 2], |rows| ChainWorker::new(&plan, rows));
    let n_steps = run(&mut workers, n_threads, update, stopping);
    let above = plan.sizes.iter().enumerate().skip(1);
    let drives = above.map(|(layer, &n)| {
        let write = |worker: &ChainWorker<'_>, out: &mut [f32]| {
            out.copy_from_slice(&worker.drive[layer]);
        };
        gathered(&workers, n, &device, write)
    });
    Some(Settled {
        drives: drives.collect(),
        relaxed: collect(&workers, update, stopping, n_steps, (&plan.sizes, &device)),
    })
}

/// Data shared by all threads.
struct ChainPlan<'a> {
    sizes: Vec<usize>,
    /// The bounds of each layer's states.
    bounds: Vec<[f32; 2]>,
    /// The incoming connection of each layer above the first.
    connections: Vec<&'a PackedDense>,
    biases: Vec<Floats>,
    state: Vec<Floats>,
    drives: Vec<Floats>,
    offset: Floats,
    shrink: PerUnit,
    from_pre_activation: bool,
    groups: &'a [Vec<usize>],
}

impl<'a> ChainPlan<'a> {
    fn new(
        problem: &Problem<'a>,
        chain: &Predictions<'a>,
        nudge: QuadraticNudge<'_>,
    ) -> Option<Self> {
        let layers = chain.pass.layers();
        let sizes: Vec<usize> = layers.iter().map(|layer| layer.dims()[1]).collect();
        let bounds = problem
            .layers
            .iter()
            .map(|layer| match response(layer.response) {
                Response::Clip(bounds) => Some(bounds),
                Response::Halves | Response::Logistic | Response::HyperbolicTangent => None,
            });
        let edges = chain.edges.iter();
        let connections = edges.map(|edge| edge.pack_dense([sizes[edge.from], sizes[edge.to]]));
        let connections: Vec<_> = connections.collect::<Option<_>>()?;
        connections.iter().for_each(|connection| connection.pack());
        Some(Self {
            bounds: bounds.collect::<Option<_>>()?,
            connections,
            biases: floats(chain.biases.iter().copied())?,
            state: floats(layers)?,
            drives: floats(chain.drives.iter().copied())?,
            offset: Floats::of(nudge.offset)?,
            shrink: PerUnit::of(nudge.shrink)?,
            from_pre_activation: chain.from_pre_activation,
            groups: problem.groups,
            sizes,
        })
    }

    fn is_output(&self, layer: usize) -> bool {
        layer + 1 == self.sizes.len()
    }
}

fn floats<'a>(tensors: impl IntoIterator<Item = &'a Tensor<2>>) -> Option<Vec<Floats>> {
    tensors.into_iter().map(Floats::of).collect()
}

/// Some examples of the batch, relaxed on one thread.
struct ChainWorker<'a> {
    plan: &'a ChainPlan<'a>,
    /// Indices of the examples.
    rows: Range<usize>,
    /// `h_k`.
    state: Vec<Vec<f32>>,
    /// `a_k`, its predicted pre-activation.
    drive: Vec<Vec<f32>>,
    /// Whether `h_k` has moved at all.
    moved: Vec<bool>,
    /// Whether it has moved since `a_{k+1}` was computed.
    moved_since: Vec<bool>,
    /// Offset of each example in each layer.
    starts: Vec<Vec<usize>>,
    error: Vec<f32>,
    prediction: Vec<f32>,
    zeros: ZeroPattern,
    /// For each example, the largest change of any unit in the last step.
    change: Vec<f32>,
}

impl<'a> ChainWorker<'a> {
    fn new(plan: &'a ChainPlan<'a>, rows: Range<usize>) -> Self {
        let cut = |all: &[Floats]| {
            let layers = all.iter().zip(&plan.sizes);
            let cut = layers.map(|(all, n)| all.slice()[rows.start * n..rows.end * n].to_vec());
            cut.collect()
        };
        let starts = plan.sizes.iter();
        let starts = starts.map(|n| (0..rows.len()).map(|row| row * n).collect());
        Self {
            state: cut(&plan.state),
            drive: cut(&plan.drives),
            moved: vec![false; plan.sizes.len()],
            moved_since: vec![false; plan.sizes.len()],
            starts: starts.collect(),
            error: Vec::new(),
            prediction: Vec::new(),
            zeros: ZeroPattern::default(),
            change: vec![0.0; rows.len()],
            plan,
            rows,
        }
    }

    /// Brings `a_k` up to date with the layer below.
    fn predict(&mut self, layer: usize) {
        let Some(below) = layer.checked_sub(1) else {
            return;
        };
        if !core::mem::take(&mut self.moved_since[below]) {
            return;
        }
        let epilogue = Epilogue {
            base: Base::Row(self.plan.biases[below].slice()),
            rule: Rule::Keep,
        };
        let left = Left::matrix(
            &self.state[below],
            &self.starts[below],
            self.plan.sizes[below],
        );
        let (out, n) = (&mut self.drive[layer], self.plan.sizes[layer]);
        self.plan.connections[below]
            .forward()
            .multiply(left, epilogue, out, n, &mut self.zeros);
    }

    /// Whether neither a layer nor the one below has moved, so that its error is 0.
    fn is_predicted(&self, layer: usize) -> bool {
        !self.moved[layer.saturating_sub(1)] && !self.moved[layer]
    }

    fn update(&mut self, layer: usize) {
        let plan = self.plan;
        if plan.is_output(layer) {
            self.predict(layer);
            self.nudge();
        } else if !self.is_predicted(layer + 1) {
            self.predict(layer);
            self.predict(layer + 1);
            self.receive(layer);
        } else if !self.is_predicted(layer) {
            self.predict(layer);
            self.follow(layer);
        } else {
            return;
        }
        self.moved[layer] = true;
        self.moved_since[layer] = true;
    }

    /// `h_L ← σ((a + offset) · shrink)`
    fn nudge(&mut self) {
        let plan = self.plan;
        let layer = plan.sizes.len() - 1;
        let (n, bounds) = (plan.sizes[layer], plan.bounds[layer]);
        // The layer starts from its clipped prediction, or from the pre-activation.
        let from = match plan.from_pre_activation {
            false => bounds,
            true => [f32::NEG_INFINITY, f32::INFINITY],
        };
        let examples = self.rows.start * n..self.rows.end * n;
        let offsets = plan.offset.slice()[examples].chunks_exact(n);
        let rows = self.state[layer].chunks_exact_mut(n);
        let rows = rows.zip(self.drive[layer].chunks_exact(n));
        let nudges = offsets.zip(self.rows.clone());
        for ((state, drive), (offset, example)) in rows.zip(nudges) {
            let nudge = offset.iter().zip(plan.shrink.of_example(example));
            for ((state, drive), (offset, shrink)) in state.iter_mut().zip(drive).zip(nudge) {
                *state = clip((clip(*drive, from) + offset) * shrink, bounds);
            }
        }
    }

    /// `h_k ← P(f_k + W_{k+1}ᵀ [σ′(a_{k+1}) (h_{k+1} − f_{k+1})])`, or with `a_k` in place of `f_k`.
    fn receive(&mut self, layer: usize) {
        let plan = self.plan;
        let above = layer + 1;
        error(
            &self.state[above],
            &self.drive[above],
            plan.bounds[above],
            &mut self.error,
        );
        let bounds = plan.bounds[layer];
        let from = match plan.from_pre_activation {
            true => &self.drive[layer],
            false => {
                self.prediction.resize(self.drive[layer].len(), 0.0);
                apply(&self.drive[layer], bounds, &mut self.prediction);
                &self.prediction
            }
        };
        let left = Left::matrix(&self.error, &self.starts[above], plan.sizes[above]);
        let epilogue = Epilogue {
            base: Base::Other(from),
            rule: Rule::Clip { bounds },
        };
        let (out, n) = (&mut self.state[layer], plan.sizes[layer]);
        plan.connections[layer]
            .backward()
            .multiply(left, epilogue, out, n, &mut self.zeros);
    }

    /// `h_k ← f_k`, where the error above is 0.
    fn follow(&mut self, layer: usize) {
        let bounds = self.plan.bounds[layer];
        apply(&self.drive[layer], bounds, &mut self.state[layer]);
    }
}

impl Worker for ChainWorker<'_> {
    fn run(&mut self, n_steps: usize) {
        let layers = || self.plan.groups.iter().flatten();
        for _ in 1..n_steps {
            layers().for_each(|&layer| self.update(layer));
        }
        let before = self.state.clone();
        layers().for_each(|&layer| self.update(layer));
        self.change.fill(0.0);
        for (layer, &n) in self.plan.sizes.iter().enumerate() {
            measure(&self.state[layer], &before[layer], n, &mut self.change);
        }
        // The gradient needs the predictions.
        (1..self.plan.sizes.len()).for_each(|layer| self.predict(layer));
    }

    fn change(&self) -> &[f32] {
        &self.change
    }

    fn write(&self, layer: usize, out: &mut [f32]) {
        out.copy_from_slice(&self.state[layer]);
    }
}
