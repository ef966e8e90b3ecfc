//! Right factors of products with many rows.

use super::epilogue::Epilogue;
use super::left::Left;
use super::narrow::Narrow;
use super::panels::Panels;
use super::product::multiply;
use super::shallow::Shallow;
use super::short::{ShortProduct, is_short};
use super::simd::dispatch;
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

    /// Like [`multiply`]; each row of `left` must be one run.
    pub fn multiply(
        &self,
        left: Left<'_>,
        epilogue: Epilogue<'_>,
        out: &mut [f32],
        stride: usize,
        zeros: &mut ZeroPattern,
    ) {
        match self {
            Self::Panels(right) => multiply(left, right, epilogue, out, stride, zeros),
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
}

#[cfg(test)]
mod tests;
