//! Storage aligned to cache lines.

use core::ops::{Deref, DerefMut};

/// Numbers per cache line, which is also the length of the longest vector.
const LINE: usize = 16;

/// Numbers that start at a cache line boundary: vectors that cross a boundary take twice as long to read,
/// and allocators guarantee an alignment of only 16 bytes.
#[derive(Debug)]
pub struct Aligned {
    data: Vec<f32>,
    start: usize,
}

impl Aligned {
    /// `n` numbers, which `append` appends to the vector that it is given.
    pub fn new(n: usize, append: impl FnOnce(&mut Vec<f32>)) -> Self {
        let mut data: Vec<f32> = Vec::with_capacity(n + LINE - 1);
        let start = data.as_ptr().align_offset(LINE * size_of::<f32>());
        let start = start.min(LINE - 1);
        data.resize(start, 0.0);
        append(&mut data);
        debug_assert_eq!(data.len(), start + n);
        Self { data, start }
    }

    /// `n` zeros.
    pub fn zeros(n: usize) -> Self {
        Self::new(n, |data| data.resize(data.len() + n, 0.0))
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.data[self.start..]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.data[self.start..]
    }
}
