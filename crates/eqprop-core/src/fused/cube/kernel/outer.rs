//! Products over rows, as in updates of parameters.

use cubecl::prelude::*;

/// Side of a tile of the product.
const TILE: usize = 64;
/// Rows read at a time.
const DEPTH: usize = 16;
/// Threads along each side of a cube.
const SIDE: usize = 16;
const LANES: usize = 4;

type Four = Vector<f32, Const<4>>;

/// Compile-time parameters of a product over rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OuterPlan {
    /// Shape of the product.
    pub shape: [usize; 2],
    /// Offsets from one row to the next in both factors, in the base and in the output.
    pub strides: [usize; 4],
    /// Where the base comes from.
    pub base: Base,
}

/// The base that a product is added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Base {
    /// Nothing.
    Zero,
    /// The previous contents of the output.
    InPlace,
    /// Another buffer.
    Other,
}

/// Numbers of cubes of a product: across its columns, and across its rows.
pub fn n_cubes([n_in, n_out]: [usize; 2]) -> [usize; 2] {
    [n_out.div_ceil(TILE), n_in.div_ceil(TILE)]
}

/// Threads per cube.
pub const N_THREADS: usize = SIDE * SIDE;

/// `out = base + factor · belowᵀ above`
///
/// # Shapes
/// - `below`: `[rows, n_in]`, `above`: `[rows, n_out]`, `base`, `out`: `[n_in, n_out]`
#[cube(launch_unchecked)]
pub fn outer(
    below: &[f32],
    above: &[f32],
    base: &Sequence<Box<[f32]>>,
    out: &mut [f32],
    factor: f32,
    n_rows: u32,
    #[comptime] plan: OuterPlan,
) {
    let tid = UNIT_POS as usize;
    let n_rows = n_rows as usize;
    let [n_in, n_out] = comptime!(plan.shape);
    let first_out = CUBE_POS_X as usize * TILE;
    let first_in = CUBE_POS_Y as usize * TILE;
    let mut lower = Shared::<[f32]>::new_slice(comptime!(DEPTH * TILE));
    let mut upper = Shared::<[Four]>::new_slice(comptime!(DEPTH * TILE / LANES));
    let (row_of_four, column_of_four) = (tid / SIDE, tid % SIDE);
    let mut sums = Array::<Four>::new(LANES);
    #[unroll]
    for i in 0..LANES {
        sums[i] = Four::new(0.0f32);
    }
    let mut start = 0usize;
    while start < n_rows {
        // Each thread loads four adjacent elements of one row of both factors.
        let row = start + row_of_four;
        let mut numbers = Four::new(0.0f32);
        #[unroll]
        for i in 0..LANES {
            let at_in = first_in + column_of_four * LANES + i;
            let at_out = first_out + column_of_four * LANES + i;
            let mut number = 0.0f32;
            if row < n_rows && at_in < n_in {
                number = below[row * comptime!(plan.strides[0]) + at_in];
            }
            lower[row_of_four * TILE + column_of_four * LANES + i] = number;
            if row < n_rows && at_out < n_out {
                numbers.insert(i, above[row * comptime!(plan.strides[1]) + at_out]);
            }
        }
        upper[row_of_four * SIDE + column_of_four] = numbers;
        sync_cube();
        #[unroll]
        for row in 0..DEPTH {
            let right = upper[row * SIDE + column_of_four];
            #[unroll]
            for i in 0..LANES {
                sums[i] += Four::new(lower[row * TILE + row_of_four * LANES + i]) * right;
            }
        }
        sync_cube();
        start += DEPTH;
    }
    #[unroll]
    for i in 0..LANES {
        let at_in = first_in + row_of_four * LANES + i;
        #[unroll]
        for j in 0..LANES {
            let at_out = first_out + column_of_four * LANES + j;
            if at_in < n_in && at_out < n_out {
                let place = at_in * comptime!(plan.strides[3]) + at_out;
                let mut sum = sums[i].extract(j) * factor;
                if comptime!(plan.base == Base::InPlace) {
                    sum += out[place];
                } else if comptime!(plan.base == Base::Other) {
                    sum += base.index(0)[at_in * comptime!(plan.strides[2]) + at_out];
                }
                out[place] = sum;
            }
        }
    }
}

/// Combination of the two presynaptic states; the postsynaptic ones form the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Half {
    /// `first − second`
    Difference,
    /// `first + second`
    Sum,
}

/// Factors of a contrast: sums and differences of two states at both ends of a connection, the postsynaptic
/// ones times `scale`.
///
/// # Shapes
/// - `pre`: two of `[rows, n_in]`, `post`: two of `[rows, n_out]`
/// - `below`: `[halves · rows, n_in]`, `above`: `[halves · rows, n_out]`
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub fn factors(
    pre: &Sequence<Box<[f32]>>,
    post: &Sequence<Box<[f32]>>,
    below: &mut [f32],
    above: &mut [f32],
    scale: f32,
    n_rows: u32,
    #[comptime] widths: [usize; 2],
    #[comptime] strides: [[usize; 2]; 2],
    #[comptime] halves: Vec<Half>,
) {
    let n_rows = n_rows as usize;
    let place = ABSOLUTE_POS as usize;
    let [n_in, n_out] = comptime!(widths);
    let n_below = n_rows * n_in;
    #[unroll]
    for index in 0..comptime!(halves.len()) {
        let half = comptime!(halves[index]);
        // Where one end takes the difference, the other takes the sum.
        if place < n_below {
            let (row, unit) = (place / n_in, place % n_in);
            let first = pre.index(0)[row * comptime!(strides[0][0]) + unit];
            let second = pre.index(1)[row * comptime!(strides[0][1]) + unit];
            let number = select(
                comptime!(half == Half::Difference).runtime(),
                first - second,
                first + second,
            );
            below[index * n_below + place] = number;
        } else if place < n_below + n_rows * n_out {
            let (row, unit) = ((place - n_below) / n_out, (place - n_below) % n_out);
            let first = post.index(0)[row * comptime!(strides[1][0]) + unit];
            let second = post.index(1)[row * comptime!(strides[1][1]) + unit];
            let number = select(
                comptime!(half == Half::Difference).runtime(),
                first + second,
                first - second,
            );
            above[index * n_rows * n_out + place - n_below] = number * scale;
        }
    }
}

/// Adjacent units per cube of [`summed_difference`], and parts that divide the rows among them.
pub const SUMMED: [usize; 2] = [32, 8];

/// `sum = scale · Σ_rows (first − second)`
///
/// # Shapes
/// - `first`, `second`: `[rows, n]`, `sum`: `[n]`
#[cube(launch_unchecked)]
pub fn summed_difference(
    first: &[f32],
    second: &[f32],
    sum: &mut [f32],
    scale: f32,
    n_rows: u32,
    #[comptime] n: usize,
    #[comptime] strides: [usize; 2],
) {
    let [width, n_parts] = comptime!(SUMMED);
    let tid = UNIT_POS as usize;
    let unit = CUBE_POS as usize * width + tid % width;
    let read = clamp_max(unit, comptime!(n - 1));
    let mut parts = Shared::<[f32]>::new_slice(comptime!(width * n_parts));
    let mut part = 0.0f32;
    let mut row = tid / width;
    while row < n_rows as usize {
        part +=
            first[row * comptime!(strides[0]) + read] - second[row * comptime!(strides[1]) + read];
        row += n_parts;
    }
    parts[tid] = part;
    sync_cube();
    if tid < width && unit < n {
        let mut total = 0.0f32;
        #[unroll]
        for other in 0..n_parts {
            total += parts[comptime!(other * width) + tid];
        }
        sum[unit] = total * scale;
    }
}
