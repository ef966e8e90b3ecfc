//! All steps of a relaxation, each thread with examples of its own.

mod worker;

use burn::tensor::{Device, Tensor};
use rayon::prelude::*;

use super::link::{Link, Places};
use super::product::TILE_ROWS;
use super::response::{Factor, Response};
use super::{Floats, tensor, threads_for};
use crate::cost::QuadraticNudge;
use crate::energy::{Graph, LayerConfig};
use crate::relaxation::{Dynamics, Relaxed, Scheme, Stopping};
use crate::state::State;
use worker::Worker;

/// Multiplications of a relaxation that are worth a thread.
pub(super) const WORTH_A_THREAD: usize = 2_000_000;
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
    // What does not belong together goes step by step, where the shapes are compared.
    if !plan.is_for(batch) {
        return None;
    }
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
        beta: Factor,
        target: Floats,
        offset: Floats,
        shrink: Factor,
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
            OutputRule::Nudged(_) if !matches!(responses.last(), Some(Response::Clip(_))) => {
                return None;
            }
            OutputRule::Nudged(nudge) => Output::Nudged {
                beta: Factor::of(nudge.beta)?,
                target: Floats::of(nudge.target)?,
                offset: Floats::of(nudge.offset)?,
                shrink: Factor::of(nudge.shrink)?,
            },
            OutputRule::Clamped(value) => Output::Clamped(Floats::of(value)?),
        };
        let places: Vec<_> = layers.iter().map(|l| Places::new(l.shape)).collect();
        if !matches!(output, Output::Free) && !places.last()?.is_plain() {
            return None;
        }
        // The first half of the units, in the order of the tensor, conducts upwards.
        let mut in_halves = responses.iter().zip(&places);
        if in_halves
            .any(|(response, places)| matches!(response, Response::Diode) && !places.is_plain())
        {
            return None;
        }
        let constants: Option<Vec<_>> = graph.constant.iter().map(Floats::of).collect();
        let links = graph.interactions.iter().map(|interaction| {
            let (from, to) = (interaction.from, interaction.to);
            interaction.link(layers[from].shape, layers[to].shape)
        });
        let links: Vec<_> = links.collect::<Option<_>>()?;
        links.iter().for_each(|link| link.pack());
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
            terms.sort_by_key(|term| matches!(links[term.link], Link::Dense(_)));
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

    /// Whether all that was clamped, and what acts on the output, is for this many examples.
    fn is_for(&self, batch: usize) -> bool {
        let mut constants = self.constants.iter().zip(&self.sizes);
        let n = self.sizes.last().copied().unwrap_or(0);
        let n_outputs = n * batch;
        constants.all(|(constant, n)| constant.slice().len() == n * batch)
            && match &self.output {
                Output::Free => true,
                Output::Clamped(value) => value.slice().len() == n_outputs,
                Output::Nudged {
                    beta,
                    target,
                    offset,
                    shrink,
                } => {
                    let mut targets = [target, offset].into_iter();
                    targets.all(|numbers| numbers.slice().len() == n_outputs)
                        && [beta, shrink]
                            .into_iter()
                            .all(|factor| factor.is_for([batch, n]))
                }
            }
    }

    /// The examples of a batch, shared out.
    fn workers(&self, batch: usize, n_steps: usize, start: &[Floats]) -> Vec<Worker<'_>> {
        let work: usize = self.links.iter().map(|link| link.work()).sum();
        let work = work.saturating_mul(batch).saturating_mul(n_steps);
        let n_threads = threads_for(work, WORTH_A_THREAD).min(batch);
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
