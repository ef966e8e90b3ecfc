//! Two layers that drive each other, the second with few units: a step of both is one pass over the first,
//! which reads the weights between them once.

use pulp::{Simd, WithSimd};

use super::epilogue::{Access, Partial, Whole, clip};
use super::shallow::{Shallow, TILE_VECTORS};
use super::short::{SHORT_BLOCK, SHORT_SIDE};

/// A step of the layer `h` and the drive of the short layer `o`, with some examples as rows:
///
/// ```text
/// h′ = clip(base_h + o Wᵀ)  or a part of the way there,    base_o + h′ W  or  base_o + h W
///
/// h, h′: [rows, n_h],  o: [rows, n_o],  W: [n_h, n_o]
/// ```
pub struct Pair<'a> {
    /// `Wᵀ`
    pub weights: &'a Shallow,
    /// `o`
    pub short: &'a [f32],
    /// `base_h`
    pub base: &'a [f32],
    /// Bounds of `h′`.
    pub bounds: [f32; 2],
    /// Whether `h′` or `h` drives the short layer, and the step size of `h`.
    pub order: Order<'a>,
    /// `h′`
    pub out: &'a mut [f32],
    /// `base_o`
    pub short_base: &'a [f32],
    /// Output for the drive of `o`.
    pub short_out: &'a mut [f32],
}

/// Whether the layers move in turn or at once.
#[derive(Debug, Clone, Copy)]
pub enum Order<'a> {
    /// `h′ = clip(drive)`, which then drives the short layer.
    InTurn,
    /// `h′ = clip((1 − ε) h + ε drive)`, while `h` drives the short layer.
    AtOnce {
        /// `h`
        state: &'a [f32],
        /// `ε`
        step_size: f32,
    },
}

impl WithSimd for Pair<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match (self.weights.depth() <= SHORT_BLOCK, self.order) {
            (true, Order::InTurn) => self.rows::<S, SHORT_BLOCK, false>(simd),
            (true, Order::AtOnce { .. }) => self.rows::<S, SHORT_BLOCK, true>(simd),
            (false, Order::InTurn) => self.rows::<S, SHORT_SIDE, false>(simd),
            (false, Order::AtOnce { .. }) => self.rows::<S, SHORT_SIDE, true>(simd),
        }
    }
}

impl Pair<'_> {
    #[inline(always)]
    fn rows<S: Simd, const D: usize, const AT_ONCE: bool>(self, simd: S) {
        let (n, n_short) = (self.weights.columns(), self.weights.depth());
        let width = TILE_VECTORS * S::F32_LANES;
        let whole = n / width * width;
        let tiles = S::as_simd_f32s(self.weights.data()).0;
        let (state, step_size) = match self.order {
            // Not read.
            Order::InTurn => (self.base, 1.0),
            Order::AtOnce { state, step_size } => (state, step_size),
        };
        let step = Step {
            bounds: self.bounds,
            keep: simd.splat_f32s(1.0 - step_size),
            step_size: simd.splat_f32s(step_size),
        };
        let short = self.short.chunks_exact(n_short);
        let short = short.zip(self.short_base.chunks_exact(n_short));
        let short = short.zip(self.short_out.chunks_exact_mut(n_short));
        for (row, ((short, short_base), short_out)) in short.enumerate() {
            let mut sent = [simd.splat_f32s(0.0); D];
            for (sent, &x) in sent.iter_mut().zip(short) {
                *sent = simd.splat_f32s(x);
            }
            let mut sums = [simd.splat_f32s(0.0); D];
            let units = row * n..(row + 1) * n;
            let (base, base_rest) = self.base[units.clone()].split_at(whole);
            let (state, state_rest) = state[units.clone()].split_at(whole);
            let (out, out_rest) = self.out[units].split_at_mut(whole);
            let mut tiles = tiles.chunks_exact(D * TILE_VECTORS);
            let before = base.chunks_exact(width).zip(state.chunks_exact(width));
            let units = before.zip(out.chunks_exact_mut(width));
            let mut done: Option<Moved<'_, S::f32s>> = None;
            for (((base, state), out), tile) in units.zip(tiles.by_ref()) {
                let (before, to) = ([base, state], (out, &mut sums));
                done =
                    Some(step.tile::<Whole, S, D, AT_ONCE>(simd, (tile, &sent), before, to, done));
            }
            if let Some(tile) = tiles.next() {
                let (before, to) = ([base_rest, state_rest], (out_rest, &mut sums));
                done = Some(step.tile::<Partial, S, D, AT_ONCE>(
                    simd,
                    (tile, &sent),
                    before,
                    to,
                    done,
                ));
            }
            if let Some(Moved { tile, driving }) = done {
                for d in 0..D {
                    add_contribution(simd, tile, &driving, d, &mut sums);
                }
            }
            for ((out, base), sum) in short_out.iter_mut().zip(short_base).zip(sums) {
                *out = base + simd.reduce_sum_f32s(sum);
            }
        }
    }
}

/// Step size of the units, and their bounds.
#[derive(Clone, Copy)]
struct Step<V> {
    bounds: [f32; 2],
    keep: V,
    step_size: V,
}

/// A tile whose units have moved, but do not drive the short layer yet.
struct Moved<'a, V> {
    tile: &'a [V],
    driving: [V; TILE_VECTORS],
}

impl<V: Copy> Step<V> {
    /// Moves the units of a tile, and adds what those of the one before contribute to the drive of the short
    /// layer: while the sums of one wait for their last term, those of the other go on.
    #[inline(always)]
    fn tile<'a, A: Access, S: Simd<f32s = V>, const D: usize, const AT_ONCE: bool>(
        &self,
        simd: S,
        (tile, sent): (&'a [V], &[V; D]),
        [base, state]: [&[f32]; 2],
        (out, sums): (&mut [f32], &mut [V; D]),
        before: Option<Moved<'_, V>>,
    ) -> Moved<'a, V> {
        let mut drive = Drive::new(simd, A::load::<S, TILE_VECTORS>(simd, base));
        match before {
            None => {
                for d in 0..D {
                    drive.add(simd, tile, sent, d);
                }
            }
            Some(before) => {
                for d in 0..D {
                    drive.add(simd, tile, sent, d);
                    add_contribution(simd, before.tile, &before.driving, d, sums);
                }
            }
        }
        let driving = self.moved::<A, S, AT_ONCE>(simd, drive.sum(simd), state, out);
        Moved { tile, driving }
    }

    /// Writes the new units; returns those that drive the short layer.
    #[inline(always)]
    fn moved<A: Access, S: Simd<f32s = V>, const AT_ONCE: bool>(
        &self,
        simd: S,
        mut units: [V; TILE_VECTORS],
        state: &[f32],
        out: &mut [f32],
    ) -> [V; TILE_VECTORS] {
        let mut driving = units;
        if AT_ONCE {
            driving = A::load::<S, TILE_VECTORS>(simd, state);
            for v in 0..TILE_VECTORS {
                let kept = simd.mul_f32s(self.keep, driving[v]);
                units[v] = simd.mul_add_f32s(self.step_size, units[v], kept);
            }
        }
        for unit in &mut units {
            *unit = clip(simd, *unit, self.bounds);
        }
        A::store(simd, units, out);
        if AT_ONCE { driving } else { units }
    }
}

/// The drive of a tile. Each addition to a sum waits for the one before: where there are registers enough, odd
/// units of the short layer have a sum of their own.
struct Drive<V> {
    sums: [[V; TILE_VECTORS]; 2],
}

impl<V: Copy> Drive<V> {
    #[inline(always)]
    fn new<S: Simd<f32s = V>>(simd: S, base: [V; TILE_VECTORS]) -> Self {
        Self {
            sums: [base, [simd.splat_f32s(0.0); TILE_VECTORS]],
        }
    }

    /// Adds the contribution of unit `d` of the short layer.
    #[inline(always)]
    fn add<S: Simd<f32s = V>, const D: usize>(
        &mut self,
        simd: S,
        tile: &[V],
        sent: &[V; D],
        d: usize,
    ) {
        let sum = &mut self.sums[if has_two_sums::<S>() { d % 2 } else { 0 }];
        for v in 0..TILE_VECTORS {
            sum[v] = simd.mul_add_f32s(sent[d], tile[d * TILE_VECTORS + v], sum[v]);
        }
    }

    #[inline(always)]
    fn sum<S: Simd<f32s = V>>(self, simd: S) -> [V; TILE_VECTORS] {
        let [mut sum, other] = self.sums;
        if has_two_sums::<S>() {
            for v in 0..TILE_VECTORS {
                sum[v] = simd.add_f32s(sum[v], other[v]);
            }
        }
        sum
    }
}

/// Whether there are the 32 registers of AVX-512.
const fn has_two_sums<S: Simd>() -> bool {
    S::F32_LANES >= 16
}

/// Adds what a tile contributes to the drive of unit `d` of the short layer. Beyond the last unit the weights
/// are 0.
#[inline(always)]
fn add_contribution<S: Simd, const D: usize>(
    simd: S,
    tile: &[S::f32s],
    driving: &[S::f32s; TILE_VECTORS],
    d: usize,
    sums: &mut [S::f32s; D],
) {
    for v in 0..TILE_VECTORS {
        sums[d] = simd.mul_add_f32s(driving[v], tile[d * TILE_VECTORS + v], sums[d]);
    }
}

#[cfg(test)]
mod tests;
