//! The nudge of a unit, and its step toward the drive.

use cubecl::prelude::*;

use super::plan::Order;

/// Rows and columns of a nudge's `β` and factor, 1 where all examples or all units share a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NudgePlan {
    /// Rows and columns of `β`.
    pub beta: [usize; 2],
    /// Rows and columns of the drive's factor.
    pub shrink: [usize; 2],
}

/// The input of a unit's response: its drive, with the force of a quadratic cost where it is nudged; for
/// gradient flow, a step from the old state toward it.
///
/// `nudge`: empty, or `β`, `y`, the offset added to the drive, and the factor of the sum.
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

/// Index of a value that all examples or all units may share.
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
