//! One step of one layer.
//!
//! A cube computes some units of some examples. Its threads form parts, which divide the presynaptic units
//! among them, so that many multiprocessors have work even for a few examples; then they add up their
//! partial sums.

use cubecl::prelude::*;

use super::nudge::{NudgePlan, force};
use super::plan::{Order, Rule};
use super::respond::{larger, respond};

/// Threads per cube.
pub const N_THREADS: usize = 256;
/// Presynaptic units that a part processes at a time.
const DEPTH: usize = 8;
/// Examples per vector.
const LANES: usize = 4;

type Four = Vector<f32, Const<4>>;
type One = Vector<f32, Const<1>>;

/// Compile-time parameters of one step of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AdvancePlan {
    /// Number of units.
    pub n: usize,
    /// Their response.
    pub rule: Rule,
    /// The terms of their drive.
    pub terms: Vec<Sent>,
    /// The update rule of the step.
    pub order: Order,
    /// Offsets from one example to the next in the constant part of the drive and in the state before the
    /// step.
    pub strides: [usize; 2],
    /// Whether the drive has a constant part.
    pub has_constant: bool,
    /// The nudge, if the layer is nudged.
    pub nudge: Option<NudgePlan>,
    /// Whether to report how far each example has moved.
    pub measures: bool,
    /// The tile that a cube computes.
    pub tile: Tile,
}

/// The units and examples that a cube computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Adjacent units, 16 or 32.
    pub width: usize,
    /// Examples, a multiple of 4.
    pub rows: usize,
}

impl Tile {
    /// Number of parts that divide the presynaptic units among them.
    fn n_parts(self) -> usize {
        N_THREADS / self.width
    }

    /// Bytes of shared memory per cube.
    pub fn shared(self) -> usize {
        let sent = self.n_parts() * DEPTH * self.rows;
        (sent + N_THREADS * self.rows) * size_of::<f32>()
    }

    /// Numbers of cubes for a layer of `n` units and `n_rows` examples: across units, and across examples.
    pub fn n_cubes(self, n: usize, n_rows: usize) -> [usize; 2] {
        [n.div_ceil(self.width), n_rows.div_ceil(self.rows)]
    }

    /// Estimated clock cycles of a layer with `n_senders` presynaptic units on `multiprocessors`
    /// multiprocessors.
    pub fn cycles(
        self,
        n: usize,
        n_rows: usize,
        n_senders: usize,
        multiprocessors: usize,
    ) -> usize {
        /// Bytes per cycle from the L2 cache, to one multiprocessor and to all together.
        const BYTES_EACH: usize = 64;
        const BYTES_ALL: usize = 2800;
        let n_cubes: usize = self.n_cubes(n, n_rows).iter().product();
        let waves = n_cubes.div_ceil(multiprocessors);
        let weights = n_senders * self.width * size_of::<f32>();
        // For each weight, a product with every example, a load for every four of them, and a load of the
        // weight.
        let issued = n_senders.div_ceil(self.n_parts()) * (self.rows + self.rows / LANES + 1) * 2;
        let read = (waves * weights / BYTES_EACH).max(n_cubes * weights / BYTES_ALL);
        (waves * issued).max(read)
    }
}

/// The input of a layer from a presynaptic layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sent {
    /// Number of presynaptic units.
    pub n: usize,
    /// Offset from one example to the next.
    pub stride: usize,
    /// Offset in the weights from one presynaptic unit to the next; `None` where units are connected one to
    /// one.
    pub across: Option<usize>,
}

/// Moves a layer by one step.
///
/// - of each term, `sources`: `[rows, n_in]`, `weights`: `[n_in, n]`
/// - `constant`, `before`, `after`: `[rows, n]`
/// - `changes`: `[tiles, rows]`, the largest change within each tile of units, times `per_change`
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub fn advance(
    sources: &Sequence<Box<[f32]>>,
    weights: &Sequence<Box<[f32]>>,
    constant: &[f32],
    before: &[f32],
    nudge: &Sequence<Box<[f32]>>,
    after: &mut [f32],
    changes: &mut [f32],
    step_size: f32,
    per_change: f32,
    n_rows: u32,
    #[comptime] plan: AdvancePlan,
) {
    let tid = UNIT_POS as usize;
    let n_rows = n_rows as usize;
    let n = comptime!(plan.n);
    let rows = comptime!(plan.tile.rows);
    let width = comptime!(plan.tile.width);
    let n_parts = comptime!(plan.tile.n_parts());
    let fours = comptime!(rows / LANES);
    let lane = tid % width;
    let part = tid / width;
    let first_row = CUBE_POS_Y as usize * rows;
    let unit = CUBE_POS_X as usize * width + lane;
    let read = clamp_max(unit, comptime!(n - 1));
    let mut sent = Shared::<[Four]>::new_slice(comptime!(n_parts * DEPTH * fours));
    let mut found = Shared::<[Four]>::new_slice(comptime!(n_parts * width * fours));

    let mut sums = Array::<Four>::new(fours);
    #[unroll]
    for four in 0..fours {
        sums[four] = Four::new(0.0f32);
    }
    #[unroll]
    for index in 0..comptime!(plan.terms.len()) {
        let term = comptime!(plan.terms[index]);
        if comptime!(term.across.is_some()) {
            let across = comptime!(term.across.unwrap_or(0));
            let mut start = 0usize;
            while start < comptime!(term.n) {
                let mut place = tid;
                while place < comptime!(n_parts * DEPTH * fours) {
                    let sender = start + place % comptime!(n_parts * DEPTH);
                    let four = place / comptime!(n_parts * DEPTH);
                    let mut numbers = Four::new(0.0f32);
                    if sender < comptime!(term.n) {
                        #[unroll]
                        for i in 0..LANES {
                            let row = first_row + four * LANES + i;
                            if row < n_rows {
                                numbers.insert(
                                    i,
                                    sources.index(index)[row * comptime!(term.stride) + sender],
                                );
                            }
                        }
                    }
                    sent[(place % comptime!(n_parts * DEPTH)) * fours + four] = numbers;
                    place += comptime!(n_parts * width);
                }
                sync_cube();
                #[unroll]
                for step in 0..DEPTH {
                    let place = part * DEPTH + step;
                    let sender = clamp_max(start + place, comptime!(term.n - 1));
                    let weight = Four::new(weights.index(index)[sender * across + read]);
                    #[unroll]
                    for four in 0..fours {
                        sums[four] += weight * sent[place * fours + four];
                    }
                }
                sync_cube();
                start += comptime!(n_parts * DEPTH);
            }
        }
    }
    #[unroll]
    for four in 0..fours {
        found[(four * n_parts + part) * width + lane] = sums[four];
    }
    sync_cube();

    // Each part finishes some of the examples.
    let mut four = part;
    while four < fours {
        let mut drive = Four::new(0.0f32);
        #[unroll]
        for other in 0..n_parts {
            drive += found[(four * n_parts + other) * width + lane];
        }
        let mut moved = Four::new(0.0f32);
        #[unroll]
        for i in 0..LANES {
            let row = first_row + four * LANES + i;
            if row < n_rows && unit < n {
                let mut total = drive.extract(i);
                if comptime!(plan.has_constant) {
                    total += constant[row * comptime!(plan.strides[0]) + unit];
                }
                #[unroll]
                for index in 0..comptime!(plan.terms.len()) {
                    let term = comptime!(plan.terms[index]);
                    if comptime!(term.across.is_none()) {
                        total += sources.index(index)[row * comptime!(term.stride) + unit];
                    }
                }
                let mut old = 0.0f32;
                if comptime!(plan.measures || plan.order == Order::Flow) {
                    old = before[row * comptime!(plan.strides[1]) + unit];
                }
                total = force(
                    total, old, row, unit, nudge, step_size, n, plan.order, plan.nudge,
                );
                let new = respond(total, unit, n, plan.rule);
                after[row * n + unit] = new;
                if comptime!(plan.measures) {
                    moved.insert(i, new - old);
                }
            }
        }
        if comptime!(plan.measures) {
            found[four * comptime!(n_parts * width) + lane] = moved;
        }
        four += n_parts;
    }
    if comptime!(plan.measures) {
        sync_cube();
        if tid < rows && first_row + tid < n_rows {
            let mut largest = One::new(0.0f32);
            for other in 0..width {
                let change = found[(tid / LANES) * comptime!(n_parts * width) + other]
                    .extract_dynamic(tid % LANES);
                largest = larger::<Const<1>>(largest, One::new(change));
            }
            changes[CUBE_POS_X as usize * n_rows + first_row + tid] =
                largest.extract(0usize) * per_change;
        }
    }
}

/// The largest change of each example, over all tiles of all layers.
///
/// # Shapes
/// - `changes`: `[tiles, rows]` of each layer, `residual`: `[rows]`
#[cube(launch_unchecked)]
pub fn largest_of(
    changes: &Sequence<Box<[f32]>>,
    residual: &mut [f32],
    #[comptime] n_tiles: Vec<usize>,
) {
    let row = ABSOLUTE_POS as usize;
    let n_rows = residual.len();
    if row < n_rows {
        let mut largest = One::new(0.0f32);
        #[unroll]
        for layer in 0..comptime!(n_tiles.len()) {
            for tile in 0..comptime!(n_tiles[layer]) {
                let change = changes.index(layer)[tile * n_rows + row];
                largest = larger::<Const<1>>(largest, One::new(change));
            }
        }
        residual[row] = largest.extract(0usize);
    }
}
