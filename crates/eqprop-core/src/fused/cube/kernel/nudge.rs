//! What acts on a layer.

use cubecl::prelude::*;

use super::plan::Order;

/// Of a nudged output: rows and columns of `β` and of what its drive is multiplied by, which are 1 for those
/// that are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NudgePlan {
    /// Of `β`.
    pub beta: [usize; 2],
    /// Of what the drive is multiplied by.
    pub shrink: [usize; 2],
}

/// What a unit responds to: its drive, with the force of a quadratic cost where one acts on it, and a step
/// toward it where the step has a size.
///
/// `nudge`: empty, or `β`, `y`, what is added to the drive, and what the sum is multiplied by.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn force(
    drive: f32,
    old: f32,
    row: usize,
    unit: usize,
    nudge: &Sequence<Box<[f32]>>,
    step_size: f32,
    #[comptime] n: usize,
    #[comptime] order: Order,
    #[comptime] plan: Option<NudgePlan>,
) -> f32 {
    let mut total = drive;
    if comptime!(plan.is_some()) {
        let beta_dims = comptime!(plan.map_or([1; 2], |plan| plan.beta));
        let shrink_dims = comptime!(plan.map_or([1; 2], |plan| plan.shrink));
        if comptime!(order == Order::Flow) {
            let beta = nudge.index(0)[place(row, unit, beta_dims)];
            total += beta * (nudge.index(1)[row * n + unit] - old);
        } else {
            let shrink = nudge.index(3)[place(row, unit, shrink_dims)];
            total = (drive + nudge.index(2)[row * n + unit]) * shrink;
        }
    }
    if comptime!(order == Order::Flow) {
        total = old * (1.0 - step_size) + total * step_size;
    }
    total
}

/// Where a number is that may be the same for all examples or all units.
#[cube]
fn place(row: usize, unit: usize, #[comptime] dims: [usize; 2]) -> usize {
    let [rows, columns] = comptime!(dims);
    let mut place = 0usize;
    if comptime!(rows > 1) {
        place += row * columns;
    }
    if comptime!(columns > 1) {
        place += unit;
    }
    place
}
