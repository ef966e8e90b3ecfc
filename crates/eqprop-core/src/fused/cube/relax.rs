//! A relaxation in GPU kernels.

use super::custom::handle;
use super::network::Network;
use super::{by_layer, in_one};
use crate::fused::{Drives, Problem, Settled};
use crate::relaxed::{Relaxed, largest};
use crate::state::State;

/// Runs the whole relaxation; `None` if a part of it is not supported here.
pub fn relax(problem: &Problem<'_>, start: &State) -> Option<Settled> {
    let Drives::Sums { constant, edges } = &problem.drives else {
        return None;
    };
    let network = Network::new(problem, constant, edges, start)?;
    let hardware = &network.plan.client.properties().hardware;
    let in_one = in_one::Shape::new(&network, hardware);
    let stopping = problem.stopping;
    let steps_until_look = match stopping.tolerance {
        Some(_) => stopping.check_every.min(stopping.max_steps),
        None => stopping.max_steps,
    };
    let mut state = start.clone();
    let mut n_steps = 0;
    loop {
        let n = steps_until_look.min(stopping.max_steps - n_steps);
        let starts = state
            .layers()
            .iter()
            .map(handle)
            .collect::<Option<Vec<_>>>()?;
        let (layers, residual) = match in_one {
            Some(shape) => in_one::run(&network, starts, n, shape),
            None => by_layer::run(&network, edges, starts, n)?,
        };
        state = State::new(layers);
        n_steps += n;
        let is_over = stopping.tolerance.is_some_and(|tolerance| {
            let largest = largest(&residual);
            !largest.is_finite() || largest <= tolerance
        });
        if is_over || n_steps >= stopping.max_steps {
            let relaxed = Relaxed {
                state,
                residual,
                n_steps,
                tolerance: stopping.tolerance,
            };
            return Some(Settled {
                relaxed,
                drives: Vec::new(),
            });
        }
    }
}
