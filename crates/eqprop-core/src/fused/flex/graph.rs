//! Relaxation with drives that are sums over connections.

mod plan;
mod worker;

use burn::tensor::Tensor;

use self::plan::GraphPlan;
use self::worker::GraphWorker;
use super::batch::{collect, n_threads, run, share_out};
use super::floats::Floats;
use super::packed::PackedConnection;
use crate::fused::{Edge, Problem, Settled};
use crate::kernel::{CACHE, TILE_ROWS};
use crate::state::State;

/// Number of examples per thread whose product with weights takes longer than reading them.
const FEW_ROWS: usize = 16;
/// Bytes of the cache that cores share on which a program can count.
const SHARED_CACHE: usize = 12 << 20;

/// Runs a relaxation as one computation; `None` if a part of it is not supported here.
pub fn relax(
    problem: &Problem<'_>,
    constant: &[Tensor<2>],
    edges: &[Edge<'_>],
    start: &State,
) -> Option<Settled> {
    let plan = GraphPlan::new(problem, constant, edges)?;
    let start: Option<Vec<_>> = start.layers().iter().map(Floats::of).collect();
    let start = start?;
    let batch = start.first()?.slice().len() / plan.sizes[0];
    // Mismatched tensors go step by step, where the shapes are compared.
    if !plan.is_for(batch) {
        return None;
    }
    let (update, stopping) = (problem.update, problem.stopping);
    let work = plan.connections.iter().map(|connection| connection.work());
    let n_threads = n_threads(batch, stopping.max_steps, work.sum());
    let connections = plan.connections.iter();
    let (n_workers, n_threads_each) = if columns_are_divided(&plan, batch, n_threads) {
        connections.for_each(|connection| connection.pack_once());
        (1, n_threads)
    } else {
        connections.for_each(|connection| connection.pack());
        let n_parts = batch.div_ceil(n_threads.saturating_mul(rows_in_cache(&plan)));
        (n_threads * n_parts, 1)
    };
    let worker = |rows| GraphWorker::new(&plan, rows, n_threads_each, &start);
    let mut workers = share_out(batch, [n_workers, n_threads], worker);
    let n_steps = run(&mut workers, n_threads, update, stopping);
    let layout = (&plan.sizes[..], &plan.device);
    Some(Settled {
        relaxed: collect(&workers, update, stopping, n_steps, layout),
        drives: Vec::new(),
    })
}

/// Whether each thread computes some columns of all examples' products, instead of whole examples, from
/// weights that are packed once for both directions: where they come from memory in every step, the fewer of
/// them a thread reads, the better.
fn columns_are_divided(plan: &GraphPlan<'_>, batch: usize, n_threads: usize) -> bool {
    let mut connections = plan.connections.iter();
    n_threads > 1
        && batch < FEW_ROWS * n_threads
        && bytes_of_weights(plan) > SHARED_CACHE
        && connections.all(|connection| matches!(connection, PackedConnection::Dense(_)))
}

/// Bytes that a step reads of the weights.
fn bytes_of_weights(plan: &GraphPlan<'_>) -> usize {
    let numbers = plan.connections.iter().map(|link| link.n_weights());
    numbers.sum::<usize>() * size_of::<f32>()
}

/// Number of examples to run through all steps together, so that their states stay in cache; without limit
/// where the weights do not fit in beside them.
fn rows_in_cache(plan: &GraphPlan<'_>) -> usize {
    if bytes_of_weights(plan) > CACHE / 2 {
        return usize::MAX;
    }
    let per_example = 3 * size_of::<f32>() * plan.sizes.iter().sum::<usize>();
    let rows = CACHE / 4 / per_example;
    (rows / TILE_ROWS * TILE_ROWS).max(TILE_ROWS)
}
