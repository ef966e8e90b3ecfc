//! Right factors with one side so short that a layout of its own is faster than panels.

use super::epilogue::Epilogue;
use super::left::Left;
use super::panels::lanes;

/// The most columns of a narrow right factor and rows of a shallow one, which come in blocks: in AVX-512's
/// registers there is place for a tile of all of them.
pub const SHORT_SIDE: usize = 10;
/// Numbers in a block.
pub const SHORT_BLOCK: usize = 5;

/// Whether a side of a right factor is so short that a layout of its own is faster than panels here: at most
/// two thirds of a vector.
pub fn is_short(side: usize) -> bool {
    let filled = side.next_multiple_of(SHORT_BLOCK);
    (1..=SHORT_SIDE).contains(&filled) && 3 * filled <= 2 * lanes()
}

/// A product with a right factor that is narrow or shallow, where the rows of the left one are one run; row
/// `r` of the result begins at `r · stride` of `out`.
pub struct ShortProduct<'a, R> {
    pub left: Left<'a>,
    pub right: &'a R,
    pub epilogue: Epilogue<'a>,
    pub out: &'a mut [f32],
    pub stride: usize,
}
