//! Computations that a GPU records once and repeats.
//!
//! A step of a training launches some tens of kernels, and to launch one takes longer than most of them run. A device that
//! records graphs (CUDA, ROCm; wgpu in software) repeats them all at once. What was recorded reads and writes the memory that
//! it read and wrote then: so numbers go in by [`overwrite`], and parameters take their steps where they are.

use burn::tensor::{Device, Graph, Tensor, capture};

use crate::fused::operations;

/// A recorded computation, with all that it holds.
///
/// While it is recorded, [`Descent`](crate::descent::Descent) writes parameters where they are, whoever else holds them.
/// What `T` holds is overwritten by every repetition. It stays on the thread that recorded it, whose work the device
/// takes in order.
///
/// ```compile_fail
/// fn sent<T: Send>() {}
/// sent::<eqprop_core::captured::Captured<u8>>();
/// ```
pub struct Captured<T> {
    graph: Graph<T, Box<dyn FnMut() -> T>>,
}

impl<T> core::fmt::Debug for Captured<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Captured")
            .field("is_hardware", &self.graph.is_hardware())
            .finish_non_exhaustive()
    }
}

impl<T> Captured<T> {
    /// Records `computation`, which must not read anything back and must do the same every time. It runs a few times
    /// before, so that all its kernels are compiled and all its memory is there.
    pub fn record(device: &Device, computation: impl FnMut() -> T + 'static) -> Self {
        Self {
            graph: capture(device, Box::new(computation)),
        }
    }

    /// Whether the device repeats it; otherwise it is computed anew.
    pub fn is_recorded(&self) -> bool {
        self.graph.is_hardware()
    }

    /// Computes again, from what is in its buffers now.
    pub fn repeat(&mut self) -> &T {
        // What the computation holds lives in it, for as long as this does, and the device keeps the memory of all
        // that was made on the way for the graph alone. It cannot be sent to another thread, whose work the device might
        // take at the same time, and the borrow keeps a second repetition away.
        #[allow(unsafe_code, reason = "see above")]
        unsafe {
            self.graph.replay()
        }
    }
}

/// Whether there can be a [`buffer`] of such numbers: whether they are `f32`, on a GPU backend.
pub fn computes_in_place<const D: usize>(numbers: &Tensor<D>) -> bool {
    operations::computes_in_place(numbers)
}

/// A copy of `numbers` in memory of its own, side by side, for [`overwrite`]; `None` on a device that computes nothing in
/// place, and for numbers other than `f32`.
pub fn buffer<const D: usize>(numbers: &Tensor<D>) -> Option<Tensor<D>> {
    operations::copied(numbers)
}

/// Writes `numbers` where those of a [`buffer`] are. All that holds the buffer sees them.
///
/// # Panics
/// If the shapes differ, or the device computes nothing in place.
pub fn overwrite<const D: usize>(buffer: &Tensor<D>, numbers: &Tensor<D>) {
    operations::overwrite(buffer, numbers).expect("a buffer is on a device that has them");
}

/// [`overwrite`] of two buffers, in one launch.
///
/// # Panics
/// As there.
pub fn overwrite_both<const D: usize>(buffers: [&Tensor<D>; 2], numbers: [&Tensor<D>; 2]) {
    operations::overwrite_both(buffers, numbers).expect("a buffer is on a device that has them");
}

/// The kernels that a GPU backend launches while `work` runs, by name, and all that others launch meanwhile; `None` in a build
/// without one. Waits for `device`.
pub fn launches(device: &Device, work: impl FnOnce()) -> Option<Vec<&'static str>> {
    operations::launches(device, work)
}
