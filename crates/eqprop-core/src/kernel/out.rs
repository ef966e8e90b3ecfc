//! Where products are written.

use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ops::Range;

/// A matrix, or the part of one that this thread writes while others write the rest of each row.
pub struct Out<'a> {
    numbers: *mut f32,
    len: usize,
    lifetime: PhantomData<&'a mut [f32]>,
}

// SAFETY: like the mutable slice it stands for.
#[allow(unsafe_code)]
unsafe impl Send for Out<'_> {}
// SAFETY: through a shared reference it can only be `shared`, which demands that no two threads use the same places.
#[allow(unsafe_code)]
unsafe impl Sync for Out<'_> {}

impl<'a> Out<'a> {
    /// All of a matrix.
    pub fn new(numbers: &'a mut [f32]) -> Self {
        Self {
            len: numbers.len(),
            numbers: numbers.as_mut_ptr(),
            lifetime: PhantomData,
        }
    }

    /// A matrix of numbers that are not written yet.
    ///
    /// # Safety
    /// Each place must be [zeroed](Self::zero) before any other use.
    #[allow(unsafe_code)]
    pub unsafe fn unwritten(numbers: &'a mut [MaybeUninit<f32>]) -> Self {
        Self {
            len: numbers.len(),
            numbers: numbers.as_mut_ptr().cast(),
            lifetime: PhantomData,
        }
    }

    /// The same matrix, for another thread.
    ///
    /// # Safety
    /// No two threads may use it at the same places.
    #[allow(unsafe_code)]
    pub unsafe fn shared(&self) -> Out<'_> {
        Out {
            numbers: self.numbers,
            len: self.len,
            lifetime: PhantomData,
        }
    }

    /// The matrix from place `start` on.
    pub fn from(&mut self, start: usize) -> Out<'_> {
        self.check(&(start..self.len));
        Out {
            // SAFETY: `start` is at most the length.
            #[allow(unsafe_code)]
            numbers: unsafe { self.numbers.add(start) },
            len: self.len - start,
            lifetime: PhantomData,
        }
    }

    /// Writes zeros.
    pub fn zero(&mut self, places: Range<usize>) {
        self.check(&places);
        // SAFETY: within the matrix, which is borrowed mutably, and used by no other thread there.
        #[allow(unsafe_code)]
        unsafe {
            self.numbers.add(places.start).write_bytes(0, places.len());
        }
    }

    /// The numbers at these places, which lie within one row.
    #[inline(always)]
    pub fn part(&mut self, places: Range<usize>) -> &mut [f32] {
        self.check(&places);
        // SAFETY: as above; and `unwritten` demands that they have been written.
        #[allow(unsafe_code)]
        unsafe {
            core::slice::from_raw_parts_mut(self.numbers.add(places.start), places.len())
        }
    }

    #[inline(always)]
    fn check(&self, places: &Range<usize>) {
        assert!(
            places.start <= places.end && places.end <= self.len,
            "places outside the matrix"
        );
    }
}
