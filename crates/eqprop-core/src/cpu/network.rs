//! All steps of a relaxation, each thread with examples of its own.

use burn::tensor::{Device, Tensor};
use rayon::prelude::*;

use super::convolution::{Pooled, Scratch};
use super::finish::{Base, Finish, Rule};
use super::link::{Link, Places};
use super::product::{Left, TILE_ROWS, multiply};
use super::simd::{largest_difference, logistic, vectorized};
use super::{Floats, tensor};
use crate::activation::Activation;
use crate::cost::QuadraticNudge;
use crate::energy::{Graph, LayerConfig};
use crate::relaxation::{Dynamics, Relaxed, Scheme, Stopping};
use crate::state::State;

/// Multiplications below which a second thread costs more than it saves.
const WORTH_A_THREAD: usize = 2_000_000;
/// Bytes of the cache that a core has for itself: those of most machines of today.
const CACHE: usize = 1 << 20;

/// What acts on the output layer.
pub(crate) enum OutputRule<'a> {
    /// Nothing.
    Free,
    /// The force of a quadratic cost.
    Nudged(QuadraticNudge<'a>),
    /// It is held.
    Clamped(&'a Tensor<2>),
}

/// A response `σ` and, for a quadratic potential, its bounds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Response {
    Clip(f32, f32),
    Sigmoid,
    Tanh,
}

impl Response {
    pub(super) fn of(activation: Activation) -> Option<Self> {
        Some(match activation {
            Activation::HardSigmoid => Self::Clip(0.0, 1.0),
            Activation::Relu => Self::Clip(0.0, f32::INFINITY),
            Activation::ClippedRelu { max } => Self::Clip(0.0, max as f32),
            Activation::Identity => Self::Clip(f32::NEG_INFINITY, f32::INFINITY),
            Activation::Sigmoid => Self::Sigmoid,
            Activation::Tanh => Self::Tanh,
            _ => return None,
        })
    }
}

/// Between the bounds; NaN passes through.
#[inline(always)]
pub(super) fn clip(x: f32, low: f32, high: f32) -> f32 {
    if x < low {
        low
    } else if x > high {
        high
    } else {
        x
    }
}

/// A relaxation as one computation, or `None` if it has a part that this cannot do.
pub(crate) fn relax(
    graph: Graph<'_>,
    layers: &[LayerConfig],
    groups: &[Vec<usize>],
    output: OutputRule<'_>,
    scheme: Scheme,
    stopping: Stopping,
    start: &State,
) -> Option<Relaxed> {
    let plan = Plan::new(graph, layers, groups, output, scheme)?;
    let start: Option<Vec<_>> = start.layers().iter().map(Floats::of).collect();
    let start = start?;
    let batch = start.first()?.slice().len() / plan.sizes[0];
    let mut workers = plan.workers(batch, stopping.max_steps, &start);
    let Stopping {
        max_steps,
        tolerance,
        check_every,
    } = stopping;
    let mut n_steps = 0;
    loop {
        let rest = max_steps - n_steps;
        let now = match tolerance {
            Some(_) => rest.min(check_every),
            None => rest,
        };
        match &mut workers[..] {
            [worker] => worker.run(now),
            workers => workers.par_iter_mut().for_each(|worker| worker.run(now)),
        }
        n_steps += now;
        let residuals = workers.iter().flat_map(|worker| &worker.change);
        let is_over = n_steps >= max_steps
            || tolerance.is_some_and(|tolerance| {
                let step_size = scheme.step_size() as f32;
                let largest = { residuals }.try_fold(0f32, |largest, &change| {
                    // A state that is infinite or not a number does not recover.
                    let residual = change / step_size;
                    residual.is_finite().then(|| largest.max(residual))
                });
                largest.is_none_or(|largest| f64::from(largest) <= tolerance)
            });
        if is_over {
            break;
        }
    }
    let state = (0..layers.len()).map(|layer| {
        let n = plan.sizes[layer];
        let mut numbers = vec![0.0; batch * n];
        for worker in &workers {
            let examples = worker.rows.start * n..worker.rows.end * n;
            plan.places[layer].in_tensor_order(&worker.state[layer], &mut numbers[examples]);
        }
        tensor(numbers, [batch, n], &plan.device)
    });
    let state = State::new(state.collect());
    let residual: Vec<f32> = workers
        .iter()
        .flat_map(|worker| &worker.change)
        .map(|change| change / scheme.step_size() as f32)
        .collect();
    Some(Relaxed {
        state,
        residual: tensor(residual, [batch], &plan.device),
        n_steps,
        tolerance,
    })
}

/// What all threads share.
struct Plan<'a> {
    scheme: Scheme,
    groups: &'a [Vec<usize>],
    responses: Vec<Response>,
    sizes: Vec<usize>,
    places: Vec<Places>,
    constants: Vec<Floats>,
    links: Vec<&'a Link>,
    /// What drives each layer.
    terms: Vec<Vec<Term>>,
    output: Output,
    device: Device,
}

/// A connection that drives a layer.
#[derive(Debug, Clone, Copy)]
struct Term {
    /// Which one.
    link: usize,
    /// The layer that it comes from.
    sender: usize,
    direction: Direction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forward,
    Backward,
}

/// [`OutputRule`], in numbers.
#[allow(
    clippy::large_enum_variant,
    reason = "one lives at a time, for a whole relaxation"
)]
enum Output {
    Free,
    Nudged {
        beta: Floats,
        target: Floats,
        offset: Floats,
        shrink: Floats,
    },
    Clamped(Floats),
}

impl<'a> Plan<'a> {
    fn new(
        graph: Graph<'a>,
        layers: &[LayerConfig],
        groups: &'a [Vec<usize>],
        output: OutputRule<'_>,
        scheme: Scheme,
    ) -> Option<Self> {
        let responses: Option<Vec<_>> = layers.iter().map(|l| Response::of(l.activation)).collect();
        let responses = responses?;
        let is_quadratic = |layer: &LayerConfig| layer.activation.is_quadratic();
        // The flow of another potential needs σ⁻¹, and so does its nudged output.
        let is_flow = match scheme {
            Scheme::Asynchronous | Scheme::FixedPoint => false,
            Scheme::GradientFlow { .. } => true,
            Scheme::Anderson { .. } | Scheme::AdaptiveFlow { .. } => return None,
        };
        if is_flow && !layers.iter().all(is_quadratic) {
            return None;
        }
        let output = match output {
            OutputRule::Free => Output::Free,
            OutputRule::Nudged(_) if !layers.last().is_some_and(is_quadratic) => return None,
            OutputRule::Nudged(nudge) => Output::Nudged {
                beta: Floats::of(nudge.beta)?,
                target: Floats::of(nudge.target)?,
                offset: Floats::of(nudge.offset)?,
                shrink: Floats::of(nudge.shrink)?,
            },
            OutputRule::Clamped(value) => Output::Clamped(Floats::of(value)?),
        };
        let places: Vec<_> = layers.iter().map(|l| Places::new(l.shape)).collect();
        if !matches!(output, Output::Free) && !places.last()?.is_plain() {
            return None;
        }
        let constants: Option<Vec<_>> = graph.constant.iter().map(Floats::of).collect();
        let links = graph.interactions.iter().map(|interaction| {
            let (from, to) = (interaction.from, interaction.to);
            interaction.link(layers[from].shape, layers[to].shape)
        });
        let links: Vec<_> = links.collect::<Option<_>>()?;
        let mut terms = vec![Vec::new(); layers.len()];
        for (link, interaction) in graph.interactions.iter().enumerate() {
            let (from, to) = (interaction.from, interaction.to);
            let mut add = |layer: usize, sender, direction| {
                let term = Term {
                    link,
                    sender,
                    direction,
                };
                terms[layer].push(term);
            };
            add(to, from, Direction::Forward);
            add(from, to, Direction::Backward);
        }
        // A dense connection, if there is one, comes last: its product can end in the response.
        for terms in &mut terms {
            terms.sort_by_key(|term| matches!(links[term.link], Link::Dense { .. }));
        }
        Some(Self {
            scheme,
            groups,
            responses,
            sizes: layers.iter().map(LayerConfig::n_units).collect(),
            places,
            constants: constants?,
            links,
            terms,
            output,
            device: graph.constant.first()?.device(),
        })
    }

    /// The examples of a batch, shared out.
    fn workers(&self, batch: usize, n_steps: usize, start: &[Floats]) -> Vec<Worker<'_>> {
        let work: usize = self.links.iter().map(|link| link.work()).sum();
        let work = work.saturating_mul(batch).saturating_mul(n_steps);
        let n_threads = (work / WORTH_A_THREAD)
            .min(rayon::current_num_threads())
            .min(batch)
            .max(1);
        let n_workers = n_threads * batch.div_ceil(n_threads * self.rows_in_cache());
        let bounds = |worker: usize| worker * batch / n_workers;
        (0..n_workers)
            .into_par_iter()
            .map(|worker| Worker::new(self, bounds(worker)..bounds(worker + 1), start))
            .collect()
    }

    /// How many examples to take through all steps together, so that their states stay in cache; as
    /// many as there are where the weights do not fit in beside them.
    fn rows_in_cache(&self) -> usize {
        let numbers: usize = self.links.iter().map(|link| link.n_weights()).sum();
        if numbers * size_of::<f32>() > CACHE / 2 {
            return usize::MAX;
        }
        let per_example = 3 * size_of::<f32>() * self.sizes.iter().sum::<usize>();
        let rows = CACHE / 4 / per_example;
        (rows / TILE_ROWS * TILE_ROWS).max(TILE_ROWS)
    }
}

/// Some examples of the batch, on one thread.
struct Worker<'a> {
    plan: &'a Plan<'a>,
    /// The examples.
    rows: core::ops::Range<usize>,
    state: Vec<Vec<f32>>,
    /// The drive of each layer, then what it moves to; after a step, the state before it.
    next: Vec<Vec<f32>>,
    constant: Vec<Vec<f32>>,
    /// Where the examples begin in the state of each layer.
    starts: Vec<Vec<usize>>,
    pooled: Vec<Pooled>,
    scratch: Scratch,
    /// The largest change of any unit of each example in the last step.
    change: Vec<f32>,
}

impl<'a> Worker<'a> {
    fn new(plan: &'a Plan<'a>, rows: core::ops::Range<usize>, start: &[Floats]) -> Self {
        let n_layers = plan.sizes.len();
        let cut = |all: &Floats, layer: usize| {
            let n = plan.sizes[layer];
            plan.places[layer].channels_last(&all.slice()[rows.start * n..rows.end * n])
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
            pooled: plan.links.iter().map(|_| Pooled::default()).collect(),
            scratch: Scratch::default(),
            change: vec![0.0; rows.len()],
            state,
            rows,
        }
    }

    /// Takes `n_steps` steps and measures the change of the last one.
    fn run(&mut self, n_steps: usize) {
        for _ in 0..n_steps {
            self.step();
        }
        self.change.fill(0.0);
        for (layer, &n) in self.plan.sizes.iter().enumerate() {
            let rows = self.state[layer].chunks_exact(n);
            let rows = rows.zip(self.next[layer].chunks_exact(n));
            for (change, (now, before)) in self.change.iter_mut().zip(rows) {
                let largest = largest_difference(now, before);
                if largest > *change || largest.is_nan() {
                    *change = largest;
                }
            }
        }
    }

    fn step(&mut self) {
        let plan = self.plan;
        match plan.scheme {
            Scheme::Asynchronous => {
                for &layer in plan.groups.iter().flatten() {
                    self.find_next(layer, None);
                    self.take_next(layer);
                }
            }
            Scheme::FixedPoint => self.step_together(None),
            Scheme::GradientFlow { step_size } => self.step_together(Some(step_size as f32)),
            Scheme::Anderson { .. } | Scheme::AdaptiveFlow { .. } => {
                unreachable!("there is no plan for schemes that remember their steps")
            }
        }
    }

    /// All layers from the state before the step.
    fn step_together(&mut self, step_size: Option<f32>) {
        let n_layers = self.state.len();
        (0..n_layers).for_each(|layer| self.find_next(layer, step_size));
        (0..n_layers).for_each(|layer| self.take_next(layer));
    }

    fn take_next(&mut self, layer: usize) {
        core::mem::swap(&mut self.state[layer], &mut self.next[layer]);
        for term in &self.plan.terms[layer] {
            if term.direction == Direction::Backward {
                self.pooled[term.link].is_current = false;
            }
        }
    }

    /// Finds where a layer goes: to `σ(drive)`, or a step of gradient flow further.
    fn find_next(&mut self, layer: usize, step_size: Option<f32>) {
        let plan = self.plan;
        let is_output = layer + 1 == plan.sizes.len();
        let n = plan.sizes[layer];
        let examples = self.rows.start * n..self.rows.end * n;
        let is_nudged = match &plan.output {
            Output::Clamped(value) if is_output => {
                self.next[layer].copy_from_slice(&value.slice()[examples]);
                return;
            }
            Output::Nudged { .. } => is_output,
            _ => false,
        };
        let rule = match plan.responses[layer] {
            Response::Clip(low, high) if !is_nudged => Some([low, high]),
            _ => None,
        };
        if !self.collect_drive(layer, rule, step_size) {
            self.respond(layer, step_size);
        }
    }

    /// Puts the drive of a layer into `self.next`, or, if there are bounds and the last term is a
    /// product, what becomes of it; returns whether it did the latter.
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
            Some(term) => matches!(plan.links[term.link], Link::Dense { .. }),
            None => false,
        };
        if !starts_with_product {
            next.copy_from_slice(&self.constant[layer]);
        }
        for (index, &term) in terms.iter().enumerate() {
            let Term {
                link,
                sender,
                direction,
            } = term;
            let sent = &self.state[sender];
            match plan.links[link] {
                Link::Dense { forward, backward } => {
                    let left = Left {
                        data: sent,
                        starts: &self.starts[sender],
                        runs: &[0],
                        run_length: plan.sizes[sender],
                    };
                    let right = match direction {
                        Direction::Forward => forward,
                        Direction::Backward => backward,
                    };
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
                    let finish = Finish { base, rule };
                    let nonzero = &mut self.scratch.nonzero;
                    multiply(left, right, finish, next, plan.sizes[layer], nonzero);
                    if is_last {
                        return bounds.is_some();
                    }
                }
                Link::Convolution(convolution) => {
                    let (pooled, scratch) = (&mut self.pooled[link], &mut self.scratch);
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
                Link::Identity => add(next, sent),
            }
        }
        false
    }

    /// Turns the drive in `self.next` into what the layer moves to.
    fn respond(&mut self, layer: usize, step_size: Option<f32>) {
        let plan = self.plan;
        let (next, state) = (&mut self.next[layer], &self.state[layer]);
        let n = plan.sizes[layer];
        let is_output = layer + 1 == plan.sizes.len();
        let examples = self.rows.start * n..self.rows.end * n;
        match (&plan.output, plan.responses[layer]) {
            (
                Output::Nudged {
                    beta,
                    target,
                    offset,
                    shrink,
                },
                Response::Clip(low, high),
            ) if is_output => {
                let units = next.chunks_exact_mut(n).zip(state.chunks_exact(n));
                match step_size {
                    None => {
                        let nudges = offset.slice()[examples]
                            .chunks_exact(n)
                            .zip(scalars(shrink, &self.rows));
                        for ((next, _), (offset, shrink)) in units.zip(nudges) {
                            for (next, offset) in next.iter_mut().zip(offset) {
                                *next = clip((*next + offset) * shrink, low, high);
                            }
                        }
                    }
                    Some(step_size) => {
                        let keep = 1.0 - step_size;
                        let nudges = target.slice()[examples]
                            .chunks_exact(n)
                            .zip(scalars(beta, &self.rows));
                        for ((next, state), (target, beta)) in units.zip(nudges) {
                            for ((next, s), target) in next.iter_mut().zip(state).zip(target) {
                                let drive = *next + (target - s) * beta;
                                *next = clip(s * keep + drive * step_size, low, high);
                            }
                        }
                    }
                }
            }
            (_, response) => respond(response, step_size, state, next),
        }
    }
}

/// A number per example, or one for all.
pub(super) fn scalars<'a>(
    numbers: &'a Floats,
    rows: &core::ops::Range<usize>,
) -> impl Iterator<Item = f32> + use<'a> {
    let numbers = numbers.slice();
    rows.clone().map(move |row| match numbers {
        [all] => *all,
        each => each[row],
    })
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

/// Turns the drive in `next` into what a layer moves to from `state`.
fn respond(response: Response, step_size: Option<f32>, state: &[f32], next: &mut [f32]) {
    vectorized(
        #[inline(always)]
        || match (response, step_size) {
            (Response::Clip(low, high), None) => {
                next.iter_mut().for_each(|s| *s = clip(*s, low, high));
            }
            (Response::Clip(low, high), Some(step_size)) => {
                let keep = 1.0 - step_size;
                for (next, s) in next.iter_mut().zip(state) {
                    *next = clip(s * keep + *next * step_size, low, high);
                }
            }
            (Response::Sigmoid, _) => {
                next.iter_mut().for_each(|s| *s = logistic(*s * 4.0 - 2.0));
            }
            (Response::Tanh, _) => next.iter_mut().for_each(|s| *s = s.tanh()),
        },
    );
}
