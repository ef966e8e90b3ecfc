//! Steps of stochastic gradient descent.

use cubecl::prelude::*;

/// Compile-time parameters of a descent step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DescendPlan {
    /// Whether the parameters are updated in place, and whether the velocity is.
    pub in_place: [bool; 2],
    /// Whether there is a velocity before the step.
    pub goes_on: bool,
    /// Whether there is a velocity after the step.
    pub has_momentum: bool,
    /// Whether to use Nesterov momentum.
    pub nesterov: bool,
}

/// Velocities smaller than this in magnitude become 0, as on CPUs.
const NEGLIGIBLE: f32 = 1e-30;

/// ```text
/// g ← λ θ + g;   v ← μ v + g;   θ ← θ − η (v, or with Nesterov μ v + g)
/// ```
///
/// `before`: `θ` and `v`, each only if it is not updated in place.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub fn descend(
    gradient: &[f32],
    before: &Sequence<Box<[f32]>>,
    parameter: &mut [f32],
    velocity: &mut Sequence<Box<[f32]>>,
    rate: f32,
    momentum: f32,
    decay: f32,
    n: u32,
    #[comptime] plan: DescendPlan,
) {
    let place = ABSOLUTE_POS as usize;
    if place < n as usize {
        let theta = if comptime!(plan.in_place[0]) {
            parameter[place]
        } else {
            before.index(0)[place]
        };
        let slope = theta * decay + gradient[place];
        let mut direction = slope;
        if comptime!(plan.has_momentum) {
            let mut moving = slope;
            if comptime!(plan.goes_on && plan.in_place[1]) {
                moving += momentum * velocity.index(0)[place];
            } else if comptime!(plan.goes_on) {
                let last = comptime!(if plan.in_place[0] { 0 } else { 1 });
                moving += momentum * before.index(last)[place];
            }
            if moving.abs() < NEGLIGIBLE {
                moving = 0.0;
            }
            velocity.index_mut(0)[place] = moving;
            direction = moving;
            if comptime!(plan.nesterov) {
                direction = momentum * moving + slope;
            }
        }
        parameter[place] = theta - rate * direction;
    }
}

/// `to ← from` for several buffers, of `lengths` elements each.
#[cube(launch_unchecked)]
pub fn copy(
    from: &Sequence<Box<[f32]>>,
    to: &mut Sequence<Box<[f32]>>,
    #[comptime] lengths: Vec<usize>,
) {
    #[unroll]
    for index in 0..comptime!(lengths.len()) {
        let first = comptime!(lengths[..index].iter().sum::<usize>());
        let place = ABSOLUTE_POS as usize;
        if place >= first && place < comptime!(first + lengths[index]) {
            to.index_mut(index)[place - first] = from.index(index)[place - first];
        }
    }
}
