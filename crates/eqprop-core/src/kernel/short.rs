//! Right factors with one side so short that a special layout is faster than panels.

use super::epilogue::Epilogue;
use super::left::Left;
use super::out::Out;
use super::panels::lanes;

/// Maximum number of columns of a narrow right factor and of rows of a shallow one, which come in blocks: a
/// tile of all of them fits into the registers of AVX-512.
pub const SHORT_SIDE: usize = 10;
/// Columns or rows per block.
pub const SHORT_BLOCK: usize = 5;

/// Whether a side of a right factor is so short that a special layout is faster than panels on this
/// machine: at most two thirds of a vector.
pub fn is_short(side: usize) -> bool {
    let filled = side.next_multiple_of(SHORT_BLOCK);
    (1..=SHORT_SIDE).contains(&filled) && 3 * filled <= 2 * lanes()
}

/// A product with a narrow or shallow right factor, where each row of the left one is one run; row `r` of
/// the result begins at offset `r · stride` of `out`.
pub struct ShortProduct<'a, R> {
    pub left: Left<'a>,
    pub right: &'a R,
    pub epilogue: Epilogue<'a>,
    pub out: Out<'a>,
    pub stride: usize,
}
