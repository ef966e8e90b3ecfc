//! Fused computations on the CPU backend `flex`, over slices of its tensors.
//!
//! A relaxation repeats a few products and passes hundreds of times. As operations on tensors each
//! of them allocates, packs its factors and hands work to threads anew. Here the weights are packed
//! once, each thread takes its own examples through all steps, and nothing is allocated within a
//! step. What is computed is the same, in another order of summation: `tests/it/fused.rs` ties the
//! two together.

mod chain;
mod contrast;
mod convolution;
mod descent;
mod finish;
mod link;
mod narrow;
mod network;
mod nonzero;
mod panels;
mod product;
mod response;
mod shallow;
mod simd;

use core::mem::MaybeUninit;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Device, Tensor, TensorData};
use rayon::prelude::*;

pub(crate) use chain::{Chain, RelaxedChain, predict, prediction_error, relax_chain};
pub(crate) use contrast::{
    convolution_contrast, convolution_forward, dense_contrast, dense_correlation, dense_forward,
};
pub(crate) use convolution::Geometry;
pub(crate) use descent::descend;
pub(crate) use link::Link;
pub(crate) use network::{OutputRule, relax};

/// The numbers of a tensor in `f32` on `flex`, outside autodiff.
#[derive(Debug)]
pub(crate) struct Floats(FlexTensor);

impl Floats {
    /// `None` if the tensor is of another type, on another backend or on autodiff.
    pub(crate) fn of<const D: usize>(tensor: &Tensor<D>) -> Option<Self> {
        Self::owned(tensor.clone())
    }

    /// As [`of`](Self::of), of a tensor that nobody else needs.
    pub(crate) fn owned<const D: usize>(tensor: Tensor<D>) -> Option<Self> {
        if tensor.dtype() != DType::F32 || tensor.is_autodiff() {
            return None;
        }
        let tensor = tensor.try_into_primitive::<Flex>().ok()?;
        let contiguous = tensor.as_slice::<f32>().is_some();
        Some(Self(if contiguous {
            tensor
        } else {
            tensor.to_contiguous()
        }))
    }

    /// The numbers in the order of the tensor's axes.
    pub(crate) fn slice(&self) -> &[f32] {
        let slice = self.0.as_slice();
        slice.expect("made contiguous, and checked to hold this type")
    }

    /// The numbers, which are copied first if another tensor shares them.
    fn slice_mut(&mut self) -> &mut [f32] {
        let (start, end) = self
            .0
            .layout()
            .contiguous_offsets()
            .expect("made contiguous");
        &mut self.0.storage_mut()[start..end]
    }

    /// The tensor.
    fn into_tensor<const D: usize>(self) -> Tensor<D> {
        Tensor::from_primitive::<Flex>(self.0)
    }
}

/// How many threads to share `work` out to, where each should get at least `worth`: with less, a second
/// thread costs more than it saves.
fn threads_for(work: usize, worth: usize) -> usize {
    (work / worth).clamp(1, rayon::current_num_threads())
}

/// Appends `n` numbers, which `write` writes in parts of `part`, over zeros. The thread that writes a part
/// puts the zeros there just before, so that it finds them in its cache: all at once, on one thread, would
/// take as long as the product of a small batch.
fn append_in_parts(
    numbers: &mut Vec<f32>,
    n: usize,
    part: usize,
    write: impl Fn(usize, &mut [f32]) + Sync,
) {
    numbers.reserve(n);
    let parts = numbers.spare_capacity_mut()[..n].par_chunks_mut(part);
    parts.enumerate().for_each(|(index, part)| {
        part.fill(MaybeUninit::new(0.0));
        // SAFETY: the part was filled.
        #[allow(unsafe_code)]
        let part = unsafe { part.assume_init_mut() };
        write(index, part);
    });
    // SAFETY: the parts are all of the `n` numbers, and were filled.
    #[allow(unsafe_code)]
    unsafe {
        numbers.set_len(numbers.len() + n);
    }
}

/// A tensor of these numbers.
pub(crate) fn tensor<const D: usize>(
    numbers: Vec<f32>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    Tensor::from_data(TensorData::new(numbers, shape), (device, DType::F32))
}
