//! Right factors of products with many rows.

use super::epilogue::Epilogue;
use super::left::Left;
use super::narrow::Narrow;
use super::out::Out;
use super::panels::Panels;
use super::product::multiply_on;
use super::shallow::Shallow;
use super::short::{ShortProduct, is_short};
use super::simd::dispatch;
use super::transposed::multiply_transposed;
use super::zero_pattern::ZeroPattern;

/// A right factor of products with many rows, in the fastest layout for its size.
#[derive(Debug)]
pub enum Right {
    /// Any size.
    Panels(Panels),
    /// Few columns.
    Narrow(Narrow),
    /// Few rows.
    Shallow(Shallow),
}

impl Right {
    /// Packs a row-major matrix `[depth, columns]`.
    pub fn of_rows(matrix: &[f32], depth: usize, columns: usize) -> Self {
        let entry = |row: usize, column| matrix[row * columns + column];
        Self::small(depth, columns, entry)
            .unwrap_or_else(|| Self::Panels(Panels::of_columns(matrix, columns, 0..columns)))
    }

    /// Packs the transpose of a row-major matrix `[columns, depth]`.
    pub fn of_transposed(matrix: &[f32], depth: usize, columns: usize) -> Self {
        let entry = |row, column: usize| matrix[column * depth + row];
        Self::small(depth, columns, entry)
            .unwrap_or_else(|| Self::Panels(Panels::of_transposed(matrix, columns)))
    }

    /// Packs a right factor whose entry in row `row` and column `column` is `entry(row, column)`.
    pub fn new(depth: usize, columns: usize, entry: impl Fn(usize, usize) -> f32 + Sync) -> Self {
        Self::small(depth, columns, &entry)
            .unwrap_or_else(|| Self::Panels(Panels::new(depth, columns, entry)))
    }

    fn small(
        depth: usize,
        columns: usize,
        entry: impl Fn(usize, usize) -> f32 + Sync,
    ) -> Option<Self> {
        if is_short(columns) {
            Some(Self::Narrow(Narrow::new(depth, columns, entry)))
        } else if is_short(depth) {
            Some(Self::Shallow(Shallow::new(depth, columns, entry)))
        } else {
            None
        }
    }

    /// Like [`multiply`](super::product::multiply); each row of `left` must be one run.
    pub fn multiply(
        &self,
        left: Left<'_>,
        epilogue: Epilogue<'_>,
        out: &mut [f32],
        stride: usize,
        zeros: &mut ZeroPattern,
    ) {
        self.multiply_on(1, left, epilogue, (out, stride), zeros);
    }

    /// The same on up to `n_threads` threads, or on one where that is little work.
    pub fn multiply_on(
        &self,
        n_threads: usize,
        left: Left<'_>,
        epilogue: Epilogue<'_>,
        (out, stride): (&mut [f32], usize),
        zeros: &mut ZeroPattern,
    ) {
        let out = Out::new(out);
        match self {
            Self::Panels(right) => {
                multiply_on(n_threads, left, right, epilogue, (out, stride), zeros);
            }
            Self::Narrow(right) => dispatch(ShortProduct {
                left,
                right,
                epilogue,
                out,
                stride,
            }),
            Self::Shallow(right) => dispatch(ShortProduct {
                left,
                right,
                epilogue,
                out,
                stride,
            }),
        }
    }

    /// Whether there are products with the transpose.
    pub fn has_transposed(&self) -> bool {
        matches!(self, Self::Panels(_))
    }

    /// Like [`multiply_on`](Self::multiply_on), with the transpose.
    ///
    /// # Panics
    /// If there is no [code for it](Self::has_transposed).
    pub fn multiply_transposed(
        &self,
        n_threads: usize,
        left: Left<'_>,
        epilogue: Epilogue<'_>,
        (out, stride): (&mut [f32], usize),
    ) {
        let Self::Panels(right) = self else {
            panic!("no product with the transpose of a short matrix");
        };
        multiply_transposed(n_threads, left, right, epilogue, (Out::new(out), stride));
    }
}

#[cfg(test)]
mod tests;
