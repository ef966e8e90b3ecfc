//! All steps of a relaxation of a chain of predictions, each thread with examples of its own.

use core::ops::Range;

use burn::tensor::{Device, Tensor};
use rayon::prelude::*;

use super::finish::{Base, Finish, Rule};
use super::link::Link;
use super::network::WORTH_A_THREAD;
use super::nonzero::Nonzero;
use super::product::Left;
use super::response::{Factor, Response, clip};
use super::simd::{largest_difference, vectorized};
use super::{Floats, tensor, threads_for};
use crate::activation::Activation;
use crate::connection::Operator;
use crate::cost::QuadraticNudge;
use crate::energy::{Interaction, LayerUpdate};
use crate::relaxation::Relaxed;
use crate::shape::LayerShape;
use crate::state::State;

/// Examples for which packed weights are read often enough.
const WORTH_PACKING: usize = 32;

/// Dense layers that predict one another, around the state in which each is as predicted.
pub(crate) struct Chain<'a> {
    /// That state.
    pub pass: &'a State,
    /// The pre-activation that is predicted of each layer there, `[batch, n_units]`.
    pub drives: Vec<&'a Tensor<2>>,
    /// What leads to each layer above the first, and its bias `[1, n_units]`.
    pub links: Vec<(&'a Interaction, &'a Tensor<2>)>,
    /// `σ_k` of each layer.
    pub activations: &'a [Activation],
    /// Where a hidden layer starts from.
    pub layer_update: LayerUpdate,
    /// The layers in the order of a step.
    pub groups: &'a [Vec<usize>],
}

/// A relaxed chain.
pub(crate) struct RelaxedChain {
    /// The state.
    pub relaxed: Relaxed,
    /// The pre-activations that are predicted of the layers above the first.
    pub drives: Vec<Tensor<2>>,
}

/// `n_steps` asynchronous steps from the state in which each layer is as predicted, with the output
/// nudged, or `None` if the chain has a part that this cannot do.
pub(crate) fn relax_chain(
    chain: &Chain<'_>,
    nudge: QuadraticNudge<'_>,
    n_steps: usize,
) -> Option<RelaxedChain> {
    let plan = Plan::new(chain, nudge)?;
    let device = chain.pass.device();
    let batch = chain.pass.batch_size();
    let n_outputs = plan.sizes.last()? * batch;
    // What does not belong together goes step by step, where the shapes are compared.
    if plan.offset.slice().len() != n_outputs || !plan.shrink.is_for([batch, n_outputs / batch]) {
        return None;
    }
    let work: usize = plan.links.iter().map(|link| link.work()).sum();
    let work = work.saturating_mul(batch).saturating_mul(n_steps);
    let n_workers = threads_for(work, WORTH_A_THREAD).min(batch);
    let bound = |worker: usize| worker * batch / n_workers;
    let workers = (0..n_workers).into_par_iter().map(|worker| {
        let mut worker = Worker::new(&plan, bound(worker)..bound(worker + 1));
        worker.run(n_steps);
        worker
    });
    let workers: Vec<_> = workers.collect();
    let n_layers = plan.sizes.len();
    let state = (0..n_layers).map(|k| {
        let parts = workers.iter().map(|worker| &worker.state[k][..]);
        joined(parts, [batch, plan.sizes[k]], &device)
    });
    let drives = (1..n_layers).map(|k| {
        let parts = workers.iter().map(|worker| &worker.drive[k][..]);
        joined(parts, [batch, plan.sizes[k]], &device)
    });
    let change = workers.iter().map(|worker| &worker.change[..]);
    Some(RelaxedChain {
        relaxed: Relaxed {
            state: State::new(state.collect()),
            residual: joined(change, [batch], &device),
            n_steps,
            tolerance: None,
        },
        drives: drives.collect(),
    })
}

fn joined<'a, const D: usize>(
    parts: impl Iterator<Item = &'a [f32]>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    tensor(parts.collect::<Vec<_>>().concat(), shape, device)
}

/// The pre-activation `a = h W + b` that a layer predicts of the one above, and `σ(a)`, or `None` if
/// that is not for this backend or worth to pack the weights.
pub(crate) fn predict(
    interaction: &Interaction,
    below: &Tensor<2>,
    bias: &Tensor<2>,
    activation: Activation,
) -> Option<[Tensor<2>; 2]> {
    let Response::Clip(bounds) = Response::of(activation)? else {
        return None;
    };
    let ([batch, n_in], [_, n_out]) = (below.dims(), bias.dims());
    if batch < WORTH_PACKING || !matches!(interaction.operator, Operator::Dense(_)) {
        return None;
    }
    let link = interaction.link(LayerShape::Flat(n_in), LayerShape::Flat(n_out))?;
    let Link::Dense(dense) = link else {
        return None;
    };
    let right = dense.forward();
    let (states, bias) = (Floats::of(below)?, Floats::of(bias)?);
    let finish = Finish {
        base: Base::Row(bias.slice()),
        rule: Rule::Keep,
    };
    let n_threads = threads_for(batch * n_in * n_out, WORTH_A_THREAD).min(batch);
    let rows = batch.div_ceil(n_threads);
    let [mut drives, mut values] = [(); 2].map(|()| vec![0.0; batch * n_out]);
    let parts = drives.par_chunks_mut(rows * n_out);
    let parts = parts.zip(values.par_chunks_mut(rows * n_out));
    let parts = parts.zip(states.slice().par_chunks(rows * n_in));
    parts.for_each(|((drive, value), states)| {
        let starts: Vec<usize> = (0..states.len() / n_in).map(|row| row * n_in).collect();
        let left = Left {
            data: states,
            starts: &starts,
            runs: &[0],
            run_length: n_in,
        };
        right.multiply(left, finish, drive, n_out, &mut Nonzero::default());
        apply(drive, bounds, value);
    });
    let device = below.device();
    Some([drives, values].map(|numbers| tensor(numbers, [batch, n_out], &device)))
}

/// `σ′(a) (h − σ(a))`, `[batch, n_units]`, or `None` if it is not for this backend.
pub(crate) fn prediction_error(
    state: &Tensor<2>,
    drive: &Tensor<2>,
    activation: Activation,
) -> Option<Tensor<2>> {
    let Response::Clip(bounds) = Response::of(activation)? else {
        return None;
    };
    let (h, a) = (Floats::of(state)?, Floats::of(drive)?);
    let mut out = Vec::new();
    error(h.slice(), a.slice(), bounds, &mut out);
    Some(tensor(out, state.dims(), &state.device()))
}

/// What all threads share.
struct Plan<'a> {
    sizes: Vec<usize>,
    /// The range of each layer.
    bounds: Vec<[f32; 2]>,
    links: Vec<&'a Link>,
    biases: Vec<Floats>,
    state: Vec<Floats>,
    drives: Vec<Floats>,
    offset: Floats,
    shrink: Factor,
    layer_update: LayerUpdate,
    groups: &'a [Vec<usize>],
}

impl<'a> Plan<'a> {
    fn new(chain: &Chain<'a>, nudge: QuadraticNudge<'_>) -> Option<Self> {
        let layers = chain.pass.layers();
        let sizes: Vec<usize> = layers.iter().map(|layer| layer.dims()[1]).collect();
        let bounds = chain
            .activations
            .iter()
            .map(|&activation| match Response::of(activation)? {
                Response::Clip(bounds) => Some(bounds),
                Response::Diode | Response::Sigmoid | Response::Tanh => None,
            });
        let flat = |layer: usize| LayerShape::Flat(sizes[layer]);
        let links = chain.links.iter().enumerate().map(|(below, (link, _))| {
            let is_dense = matches!(link.operator, Operator::Dense(_));
            let link = is_dense.then(|| link.link(flat(below), flat(below + 1)));
            link.flatten()
        });
        let links: Vec<_> = links.collect::<Option<_>>()?;
        links.iter().for_each(|link| link.pack());
        Some(Self {
            bounds: bounds.collect::<Option<_>>()?,
            links,
            biases: floats(chain.links.iter().map(|(_, bias)| *bias))?,
            state: floats(layers)?,
            drives: floats(chain.drives.iter().copied())?,
            offset: Floats::of(nudge.offset)?,
            shrink: Factor::of(nudge.shrink)?,
            layer_update: chain.layer_update,
            groups: chain.groups,
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

/// Some examples of the batch, on one thread.
struct Worker<'a> {
    plan: &'a Plan<'a>,
    /// The examples.
    rows: Range<usize>,
    /// `h_k`.
    state: Vec<Vec<f32>>,
    /// `a_k`, what is predicted of it.
    drive: Vec<Vec<f32>>,
    /// Whether `h_k` has moved at all.
    moved: Vec<bool>,
    /// Whether it has moved since `a_{k+1}` was computed.
    moved_since: Vec<bool>,
    /// Where the examples begin in each layer.
    starts: Vec<Vec<usize>>,
    error: Vec<f32>,
    prediction: Vec<f32>,
    nonzero: Nonzero,
    /// The largest change of any unit of each example in the last step.
    change: Vec<f32>,
}

impl<'a> Worker<'a> {
    fn new(plan: &'a Plan<'a>, rows: Range<usize>) -> Self {
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
            nonzero: Nonzero::default(),
            change: vec![0.0; rows.len()],
            plan,
            rows,
        }
    }

    fn run(&mut self, n_steps: usize) {
        let layers = || self.plan.groups.iter().flatten();
        for _ in 1..n_steps {
            layers().for_each(|&layer| self.update(layer));
        }
        let before = self.state.clone();
        layers().for_each(|&layer| self.update(layer));
        for ((now, before), &n) in self.state.iter().zip(&before).zip(&self.plan.sizes) {
            let rows = now.chunks_exact(n).zip(before.chunks_exact(n));
            for (change, (now, before)) in self.change.iter_mut().zip(rows) {
                let largest = largest_difference(now, before);
                if largest > *change || largest.is_nan() {
                    *change = largest;
                }
            }
        }
        // The gradient asks for the predictions.
        (1..self.plan.sizes.len()).for_each(|layer| self.predict(layer));
    }

    /// Brings `a_k` up to date with the layer below.
    fn predict(&mut self, layer: usize) {
        let Some(below) = layer.checked_sub(1) else {
            return;
        };
        if !core::mem::take(&mut self.moved_since[below]) {
            return;
        }
        let Link::Dense(dense) = self.plan.links[below] else {
            unreachable!("there is no plan for other connections")
        };
        let finish = Finish {
            base: Base::Row(self.plan.biases[below].slice()),
            rule: Rule::Keep,
        };
        let left = Left {
            data: &self.state[below],
            starts: &self.starts[below],
            runs: &[0],
            run_length: self.plan.sizes[below],
        };
        let (out, n) = (&mut self.drive[layer], self.plan.sizes[layer]);
        dense
            .forward()
            .multiply(left, finish, out, n, &mut self.nonzero);
    }

    /// Whether a layer and the one below have not moved, so that the error is 0.
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
        // Where the prediction is clipped the layer starts from it, or from the pre-activation.
        let from = match plan.layer_update {
            LayerUpdate::Projected => bounds,
            LayerUpdate::PreActivation => [f32::NEG_INFINITY, f32::INFINITY],
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

    /// `h_k ← P(f_k + W_{k+1}ᵀ [σ′(a_{k+1}) (h_{k+1} − f_{k+1})])`, or from `a_k`.
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
        let from = match plan.layer_update {
            LayerUpdate::PreActivation => &self.drive[layer],
            LayerUpdate::Projected => {
                self.prediction.resize(self.drive[layer].len(), 0.0);
                apply(&self.drive[layer], bounds, &mut self.prediction);
                &self.prediction
            }
        };
        let Link::Dense(dense) = plan.links[layer] else {
            unreachable!("there is no plan for other connections")
        };
        let left = Left {
            data: &self.error,
            starts: &self.starts[above],
            runs: &[0],
            run_length: plan.sizes[above],
        };
        let finish = Finish {
            base: Base::Other(from),
            rule: Rule::Clip { bounds },
        };
        let (out, n) = (&mut self.state[layer], plan.sizes[layer]);
        dense
            .backward()
            .multiply(left, finish, out, n, &mut self.nonzero);
    }

    /// `h_k ← f_k`, where there is no error above.
    fn follow(&mut self, layer: usize) {
        let bounds = self.plan.bounds[layer];
        apply(&self.drive[layer], bounds, &mut self.state[layer]);
    }
}

/// `f = σ(a)`
fn apply(drive: &[f32], bounds: [f32; 2], out: &mut [f32]) {
    vectorized(
        #[inline(always)]
        || {
            for (out, &drive) in out.iter_mut().zip(drive) {
                *out = clip(drive, bounds);
            }
        },
    );
}

/// `σ′(a) (h − σ(a))`
fn error(state: &[f32], drive: &[f32], [low, high]: [f32; 2], out: &mut Vec<f32>) {
    out.resize(drive.len(), 0.0);
    // Nothing compares with NaN: a range without an end is clipped at none.
    let [low, high] = [low, high].map(|end| if end.is_finite() { end } else { f32::NAN });
    vectorized(
        #[inline(always)]
        || {
            for ((out, &h), &a) in out.iter_mut().zip(state).zip(drive) {
                // At the ends of its range too a unit passes nothing on.
                let is_clipped = (a <= low) | (a >= high);
                *out = if is_clipped { 0.0 } else { h - a };
            }
        },
    );
}
