//! Computations that a GPU records once and replays.
//!
//! A training step launches some tens of kernels, and launching one takes longer than most of them run. A
//! device that records graphs (CUDA, ROCm; wgpu in software) replays them all at once. A replay reads and
//! writes the same memory as the recording: new inputs are passed by [`overwrite`], and parameters are
//! updated in place.

use burn::tensor::{Device, Graph, Tensor, capture};

use crate::fused::operations;

/// A recorded computation, with everything that it owns.
///
/// During the recording, [`Descent`](crate::descent::Descent) updates parameters in place, even if they are
/// shared. Every replay overwrites the contents of `T`. A recording stays on the thread that made it, because
/// the device executes the work of one thread in order.
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
    /// Records `computation`, which must not read anything back from the device and must do the same every
    /// time. It runs a few times first, so that all its kernels are compiled and all its memory is allocated.
    pub fn record(device: &Device, computation: impl FnMut() -> T + 'static) -> Self {
        Self {
            graph: capture(device, Box::new(computation)),
        }
    }

    /// Returns whether the device replays the recording; otherwise each repetition is computed anew.
    pub fn is_recorded(&self) -> bool {
        self.graph.is_hardware()
    }

    /// Repeats the computation with the current contents of its buffers.
    pub fn repeat(&mut self) -> &T {
        // The computation owns everything that it uses for as long as `self` lives, and the device keeps all
        // intermediate memory for this graph alone. `Captured` cannot be sent to another thread, whose work
        // the device might run at the same time, and the borrow rules out a second replay.
        #[allow(unsafe_code, reason = "see above")]
        unsafe {
            self.graph.replay()
        }
    }
}

/// Returns whether these numbers can have a [`buffer`]: whether they are `f32`, on a GPU backend.
pub fn computes_in_place<const D: usize>(numbers: &Tensor<D>) -> bool {
    operations::computes_in_place(numbers)
}

/// Copies `numbers` into contiguous memory of their own, for [`overwrite`]. Returns `None` on a device that
/// does not compute in place, and for types other than `f32`.
pub fn buffer<const D: usize>(numbers: &Tensor<D>) -> Option<Tensor<D>> {
    operations::copied(numbers)
}

/// Writes `numbers` into a [`buffer`]. All tensors that share the buffer see them.
///
/// # Panics
/// If the shapes differ, or the device does not compute in place.
pub fn overwrite<const D: usize>(buffer: &Tensor<D>, numbers: &Tensor<D>) {
    operations::overwrite(buffer, numbers).expect("a buffer is on a device that has them");
}

/// Writes into two buffers, as [`overwrite`] does, in one launch.
///
/// # Panics
/// As [`overwrite`].
pub fn overwrite_both<const D: usize>(buffers: [&Tensor<D>; 2], numbers: [&Tensor<D>; 2]) {
    operations::overwrite_both(buffers, numbers).expect("a buffer is on a device that has them");
}

/// Returns the names of the kernels that a GPU backend launches while `work` runs, including those launched
/// from elsewhere meanwhile; `None` in a build without a GPU backend. Waits for `device`.
pub fn launches(device: &Device, work: impl FnOnce()) -> Option<Vec<&'static str>> {
    operations::launches(device, work)
}
