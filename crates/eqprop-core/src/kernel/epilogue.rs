//! Operations on a product while it is still in registers.

use core::ops::Range;

use pulp::Simd;

use super::out::Out;

/// How a product is written: added to `base`, and then turned into the result by `rule`. States, and bases
/// of more than one row, are laid out like the result.
#[derive(Debug, Clone, Copy)]
pub struct Epilogue<'a> {
    /// The base that it is added to.
    pub base: Base<'a>,
    /// How the sum becomes the result.
    pub rule: Rule<'a>,
}

/// The base that a product is added to.
#[derive(Debug, Clone, Copy)]
pub enum Base<'a> {
    /// Nothing.
    Zero,
    /// The previous contents of the output.
    Out,
    /// Another matrix.
    Other(&'a [f32]),
    /// One row, added to each row.
    Row(&'a [f32]),
}

/// How a drive becomes the result.
#[derive(Debug, Clone, Copy)]
pub enum Rule<'a> {
    /// `drive`
    Keep,
    /// `clip(drive)`
    Clip {
        /// The bounds.
        bounds: [f32; 2],
    },
    /// `clip((1 − ε) state + ε drive)`
    Flow {
        /// The state before.
        state: &'a [f32],
        /// `ε`.
        step_size: f32,
        /// The bounds.
        bounds: [f32; 2],
    },
}

impl Epilogue<'_> {
    /// `C ← A B`
    pub const SET: Self = Self {
        base: Base::Zero,
        rule: Rule::Keep,
    };
    /// `C ← C + A B`
    pub const ADD: Self = Self {
        base: Base::Out,
        rule: Rule::Keep,
    };

    /// Whether a zero product leaves the output unchanged.
    pub fn keeps_out(self) -> bool {
        matches!((self.base, self.rule), (Base::Out, Rule::Keep))
    }

    /// Writes a tile whose product is `sums`: some columns of the rows from `row` on, which are `stride`
    /// apart in `out`.
    #[inline(always)]
    pub fn tile<S: Simd, const R: usize, const V: usize>(
        self,
        simd: S,
        sums: [[S::f32s; V]; R],
        [row, stride]: [usize; 2],
        columns: Range<usize>,
        out: &mut Out<'_>,
    ) {
        let places = |r: usize| {
            let start = (row + r) * stride;
            start + columns.start..start + columns.end
        };
        if columns.len() == V * S::F32_LANES {
            self.put::<Whole, _, R, V>(simd, sums, &columns, places, out);
        } else {
            self.put::<Partial, _, R, V>(simd, sums, &columns, places, out);
        }
    }

    /// One small loop per operation: only such loops are unrolled, so that the sums stay in registers.
    #[inline(always)]
    fn put<A: Access, S: Simd, const R: usize, const V: usize>(
        self,
        simd: S,
        mut sums: [[S::f32s; V]; R],
        columns: &Range<usize>,
        places: impl Fn(usize) -> Range<usize>,
        out: &mut Out<'_>,
    ) {
        match self.base {
            Base::Zero => {}
            Base::Out => {
                for (r, sums) in sums.iter_mut().enumerate() {
                    let base = A::load::<S, V>(simd, out.part(places(r)));
                    for v in 0..V {
                        sums[v] = simd.add_f32s(base[v], sums[v]);
                    }
                }
            }
            Base::Other(base) => {
                for r in 0..R {
                    let base = A::load::<S, V>(simd, &base[places(r)]);
                    for v in 0..V {
                        sums[r][v] = simd.add_f32s(base[v], sums[r][v]);
                    }
                }
            }
            Base::Row(base) => {
                let base = A::load::<S, V>(simd, &base[columns.clone()]);
                for row in &mut sums {
                    for v in 0..V {
                        row[v] = simd.add_f32s(base[v], row[v]);
                    }
                }
            }
        }
        match self.rule {
            Rule::Keep => {}
            Rule::Clip { bounds } => {
                for row in &mut sums {
                    for drive in row {
                        *drive = clip(simd, *drive, bounds);
                    }
                }
            }
            Rule::Flow {
                state,
                step_size,
                bounds,
            } => {
                let keep = simd.splat_f32s(1.0 - step_size);
                let step_size = simd.splat_f32s(step_size);
                for r in 0..R {
                    let state = A::load::<S, V>(simd, &state[places(r)]);
                    for v in 0..V {
                        let kept = simd.mul_f32s(keep, state[v]);
                        let moved = simd.mul_add_f32s(step_size, sums[r][v], kept);
                        sums[r][v] = clip(simd, moved, bounds);
                    }
                }
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            A::store(simd, sums, out.part(places(r)));
        }
    }
}

/// How vectors are read and written.
pub trait Access {
    /// Reads `V` vectors.
    fn load<S: Simd, const V: usize>(simd: S, numbers: &[f32]) -> [S::f32s; V];
    /// Writes them.
    fn store<S: Simd, const V: usize>(simd: S, vectors: [S::f32s; V], out: &mut [f32]);
}

/// Access to exactly `V` vectors.
pub struct Whole;

/// Access to fewer numbers.
pub struct Partial;

impl Access for Whole {
    #[inline(always)]
    fn load<S: Simd, const V: usize>(_simd: S, numbers: &[f32]) -> [S::f32s; V] {
        let vectors = S::as_simd_f32s(numbers).0.first_chunk::<V>();
        *vectors.expect("checked to be whole")
    }

    #[inline(always)]
    fn store<S: Simd, const V: usize>(_simd: S, vectors: [S::f32s; V], out: &mut [f32]) {
        let out = S::as_mut_simd_f32s(out).0.first_chunk_mut::<V>();
        *out.expect("checked to be whole") = vectors;
    }
}

impl Access for Partial {
    /// Pads with zeros.
    #[inline(always)]
    fn load<S: Simd, const V: usize>(simd: S, numbers: &[f32]) -> [S::f32s; V] {
        let (full, rest) = S::as_simd_f32s(numbers);
        let mut vectors = [simd.splat_f32s(0.0); V];
        for (vector, full) in vectors.iter_mut().zip(full) {
            *vector = *full;
        }
        if full.len() < V {
            vectors[full.len()] = simd.partial_load_f32s(rest);
        }
        vectors
    }

    /// Writes as many numbers as fit.
    #[inline(always)]
    fn store<S: Simd, const V: usize>(simd: S, vectors: [S::f32s; V], out: &mut [f32]) {
        let (full, rest) = S::as_mut_simd_f32s(out);
        for (out, vector) in full.iter_mut().zip(vectors) {
            *out = vector;
        }
        if full.len() < V {
            simd.partial_store_f32s(rest, vectors[full.len()]);
        }
    }
}

/// Clips to the bounds; NaN passes through.
#[inline(always)]
pub fn clip<S: Simd>(simd: S, x: S::f32s, [low, high]: [f32; 2]) -> S::f32s {
    let (low, high) = (simd.splat_f32s(low), simd.splat_f32s(high));
    if S::F32_LANES == 1 {
        // Rust's minimum and maximum drop NaN.
        let x = simd.select_f32s(simd.less_than_f32s(x, low), low, x);
        return simd.select_f32s(simd.less_than_f32s(high, x), high, x);
    }
    // Those of vectors return NaN or, on x86, the second operand.
    simd.min_f32s(high, simd.max_f32s(low, x))
}

#[cfg(test)]
mod tests {
    use pulp::WithSimd;

    use super::*;
    use crate::kernel::simd::dispatch;

    #[test]
    fn what_is_not_a_number_is_clipped_to_no_bound() {
        struct Clipped;

        impl WithSimd for Clipped {
            type Output = [f32; 4];

            fn with_simd<S: Simd>(self, simd: S) -> [f32; 4] {
                [f32::NAN, -3.0, 0.25, 7.0].map(|x| {
                    let clipped = clip(simd, simd.splat_f32s(x), [0.0, 1.0]);
                    simd.reduce_sum_f32s(clipped) / S::F32_LANES as f32
                })
            }
        }

        let clipped = dispatch(Clipped);
        assert!(clipped[0].is_nan());
        assert_eq!(clipped[1..], [0.0, 0.25, 1.0]);
    }
}
