//! A whole relaxation in one launch.
//!
//! A cube runs a few examples through all steps. Their states are in its shared memory, and the few weights
//! that a thread needs of a small connection are in its registers.

use cubecl::prelude::*;

use super::nudge::{NudgePlan, force};
use super::plan::{LayerPlan, Order, TermPlan};
use super::respond::{larger, respond};

/// Maximum number of weights that a thread keeps in registers.
const MAX_REGISTERS: usize = 64;

/// Compile-time parameters of a relaxation in one launch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SettlePlan {
    /// The layers.
    pub layers: Vec<LayerPlan>,
    /// Groups of layers that move together.
    pub groups: Vec<Vec<usize>>,
    /// The update rule of a step.
    pub order: Order,
    /// Threads per cube, a power of two.
    pub n_threads: usize,
    /// The nudge of the output, if it is nudged.
    pub nudge: Option<NudgePlan>,
}

impl SettlePlan {
    /// Number of units of all layers.
    pub fn n_units(&self) -> usize {
        self.layers.iter().map(|layer| layer.n).sum()
    }

    fn offset(&self, layer: usize) -> usize {
        self.layers[..layer].iter().map(|layer| layer.n).sum()
    }

    /// Threads that compute the drive of one unit of this layer together.
    fn n_segments(&self, layer: usize) -> usize {
        let width = self.layers[layer].n.next_power_of_two();
        (self.n_threads / width).max(1)
    }

    /// Weights of one term that a thread reads for one unit of a layer.
    fn n_each(&self, layer: usize, index: usize) -> usize {
        let term = self.layers[layer].terms[index];
        match term.weights {
            Some(_) => term.n.div_ceil(self.n_segments(layer)),
            None => 0,
        }
    }

    fn n_passes(&self, layer: usize) -> usize {
        let width = self.n_threads / self.n_segments(layer);
        self.layers[layer].n.div_ceil(width)
    }

    /// Layer, pass and term of all weights that stay in registers.
    fn kept(&self) -> Vec<[usize; 3]> {
        let mut kept = Vec::new();
        let mut n_registers = 0;
        for layer in 0..self.layers.len() {
            for index in 0..self.layers[layer].terms.len() {
                let n = self.n_each(layer, index) * self.n_passes(layer);
                if n > 0 && n_registers + n <= MAX_REGISTERS {
                    n_registers += n;
                    kept.extend((0..self.n_passes(layer)).map(|pass| [layer, pass, index]));
                }
            }
        }
        kept
    }

    fn kept_at(&self, place: [usize; 3]) -> Option<usize> {
        self.kept().iter().position(|&found| found == place)
    }

    fn sequence(&self) -> Vec<usize> {
        self.groups.iter().flatten().copied().collect()
    }

    /// Vectors of `N` examples in shared memory.
    pub fn n_shared(&self) -> usize {
        let copies = if self.order == Order::InTurn { 2 } else { 3 };
        copies * self.n_units() + self.n_threads
    }
}

/// Runs `n_steps` steps, with `N` examples per cube.
///
/// - `constants`, `starts`: `[rows, n]` of each layer
/// - `weights`: as indexed by the terms
/// - `nudge`: empty, or `β`, `y`, the offset added to the output's drive, and the factor of the sum
/// - `outputs`: `[rows, n]` of each layer
/// - `residual`: `[rows]`, the largest change in the last step times `per_change`
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub fn settle<N: Size>(
    constants: &Sequence<Box<[f32]>>,
    starts: &Sequence<Box<[f32]>>,
    weights: &Sequence<Box<[f32]>>,
    nudge: &Sequence<Box<[f32]>>,
    outputs: &mut Sequence<Box<[f32]>>,
    residual: &mut [f32],
    n_steps: u32,
    step_size: f32,
    per_change: f32,
    n_rows: u32,
    #[comptime] plan: SettlePlan,
) {
    let tid = UNIT_POS as usize;
    let n_threads = comptime!(plan.n_threads);
    let n_units = comptime!(plan.n_units());
    let lanes = N::value();
    let n_rows = n_rows as usize;
    let first_row = CUBE_POS as usize * lanes;
    let mut state = Shared::<[Vector<f32, N>]>::new_slice(n_units);
    let mut constant = Shared::<[Vector<f32, N>]>::new_slice(n_units);
    let mut next =
        Shared::<[Vector<f32, N>]>::new_slice(comptime!(if plan.order == Order::InTurn {
            1
        } else {
            n_units
        }));
    let mut partial = Shared::<[Vector<f32, N>]>::new_slice(n_threads);

    #[unroll]
    for layer in 0..comptime!(plan.layers.len()) {
        let n = comptime!(plan.layers[layer].n);
        let offset = comptime!(plan.offset(layer));
        let strides = comptime!(plan.layers[layer].strides);
        let mut unit = tid;
        while unit < n {
            let mut from = Vector::<f32, N>::new(0.0f32);
            let mut start = Vector::<f32, N>::new(0.0f32);
            #[unroll]
            for lane in 0..N::value() {
                let row = clamp_max(first_row + lane, n_rows - 1);
                from.insert(
                    lane,
                    constants.index(layer)[row * comptime!(strides[0]) + unit],
                );
                start.insert(
                    lane,
                    starts.index(layer)[row * comptime!(strides[1]) + unit],
                );
            }
            constant[offset + unit] = from;
            state[offset + unit] = start;
            unit += n_threads;
        }
    }
    let mut kept = Sequence::<Array<f32>>::new();
    #[unroll]
    for place in 0..comptime!(plan.kept().len()) {
        let [layer, pass, index] = comptime!(plan.kept()[place]);
        let term = comptime!(plan.layers[layer].terms[index]);
        let n_segments = comptime!(plan.n_segments(layer));
        let n_each = comptime!(plan.n_each(layer, index));
        let width = comptime!(n_threads / n_segments);
        let unit = clamp_max(
            tid % width + comptime!(pass * width),
            comptime!(plan.layers[layer].n - 1),
        );
        let [across, along] = comptime!(term.strides);
        let mut own = Array::<f32>::new(n_each);
        #[unroll]
        for i in 0..n_each {
            let sender = tid / width + comptime!(i * n_segments);
            own[i] = 0.0;
            if sender < comptime!(term.n) {
                own[i] = weights.index(comptime!(term.weights.unwrap_or(0)))
                    [sender * across + unit * along];
            }
        }
        kept.push(own);
    }
    sync_cube();

    let mut change = Vector::<f32, N>::new(0.0f32);
    for step in 0..n_steps {
        let is_last = step + 1 == n_steps;
        #[unroll]
        for turn in 0..comptime!(plan.sequence().len()) {
            let layer = comptime!(plan.sequence()[turn]);
            let n = comptime!(plan.layers[layer].n);
            let offset = comptime!(plan.offset(layer));
            let n_segments = comptime!(plan.n_segments(layer));
            let width = comptime!(n_threads / n_segments);
            let segment = tid / width;
            #[unroll]
            for pass in 0..comptime!(plan.n_passes(layer)) {
                let unit = tid % width + comptime!(pass * width);
                let read = clamp_max(unit, comptime!(n - 1));
                let mut drive = Vector::<f32, N>::new(0.0f32);
                #[unroll]
                for index in 0..comptime!(plan.layers[layer].terms.len()) {
                    let term = comptime!(plan.layers[layer].terms[index]);
                    let source = comptime!(plan.offset(term.source));
                    let place = comptime!(plan.kept_at([layer, pass, index]));
                    if comptime!(place.is_some()) {
                        let own = kept.index(comptime!(place.unwrap_or(0)));
                        #[unroll]
                        for i in 0..comptime!(plan.n_each(layer, index)) {
                            let sender = clamp_max(
                                segment + comptime!(i * n_segments),
                                comptime!(term.n - 1),
                            );
                            drive += Vector::new(own[i]) * state[source + sender];
                        }
                    } else {
                        drive +=
                            sent::<N>(&state, weights, read, segment, source, n_segments, term);
                    }
                }
                if comptime!(n_segments > 1) {
                    partial[tid] = drive;
                    sync_cube();
                    if segment == 0 {
                        #[unroll]
                        for other in 1..n_segments {
                            drive += partial[tid + comptime!(other * width)];
                        }
                    }
                }
                if segment == 0 && unit < n {
                    let old = state[offset + unit];
                    drive += constant[offset + unit];
                    let mut new = Vector::<f32, N>::new(0.0f32);
                    #[unroll]
                    for lane in 0..N::value() {
                        let row = clamp_max(first_row + lane, n_rows - 1);
                        let own =
                            comptime!(plan.layers[layer].nudged.then_some(plan.nudge).flatten());
                        let total = force(
                            drive.extract(lane),
                            old.extract(lane),
                            row,
                            unit,
                            nudge,
                            step_size,
                            n,
                            plan.order,
                            own,
                        );
                        new.insert(
                            lane,
                            respond(total, unit, n, comptime!(plan.layers[layer].rule)),
                        );
                    }
                    if comptime!(plan.order == Order::InTurn) {
                        state[offset + unit] = new;
                    } else {
                        next[offset + unit] = new;
                    }
                    if is_last {
                        change = larger::<N>(change, new - old);
                    }
                }
            }
            // A layer that has moved is read next, and the buffer of partial drives is reused.
            if comptime!(plan.order == Order::InTurn || n_segments > 1) {
                sync_cube();
            }
        }
        if comptime!(plan.order != Order::InTurn) {
            sync_cube();
            let mut unit = tid;
            while unit < n_units {
                state[unit] = next[unit];
                unit += n_threads;
            }
            sync_cube();
        }
    }

    #[unroll]
    for layer in 0..comptime!(plan.layers.len()) {
        let n = comptime!(plan.layers[layer].n);
        let offset = comptime!(plan.offset(layer));
        let mut unit = tid;
        while unit < n {
            let value = state[offset + unit];
            #[unroll]
            for lane in 0..N::value() {
                let row = first_row + lane;
                if row < n_rows {
                    outputs.index_mut(layer)[row * n + unit] = value.extract(lane);
                }
            }
            unit += n_threads;
        }
    }

    partial[tid] = change;
    sync_cube();
    let mut half = comptime!(n_threads / 2).runtime();
    while half > 0 {
        if tid < half {
            partial[tid] = larger::<N>(partial[tid], partial[tid + half]);
        }
        sync_cube();
        half /= 2;
    }
    if tid == 0 {
        #[unroll]
        for lane in 0..N::value() {
            let row = first_row + lane;
            if row < n_rows {
                residual[row] = partial[0].extract(lane) * per_change;
            }
        }
    }
}

/// This segment's part of a unit's input from a term.
#[cube]
fn sent<N: Size>(
    state: &Shared<[Vector<f32, N>]>,
    weights: &Sequence<Box<[f32]>>,
    unit: usize,
    segment: usize,
    #[comptime] offset: usize,
    #[comptime] n_segments: usize,
    #[comptime] term: TermPlan,
) -> Vector<f32, N> {
    let mut sum = Vector::<f32, N>::new(0.0f32);
    if comptime!(term.weights.is_some()) {
        let index = comptime!(term.weights.unwrap_or(0));
        let [across, along] = comptime!(term.strides);
        let mut sender = segment;
        while sender < comptime!(term.n) {
            let weight = weights.index(index)[sender * across + unit * along];
            sum += Vector::new(weight) * state[offset + sender];
            sender += n_segments;
        }
    } else if segment == 0 {
        sum = state[offset + unit];
    }
    sum
}
