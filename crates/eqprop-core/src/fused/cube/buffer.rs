//! Buffers of kernels.

use burn::tensor::{DType, Shape};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// Numbers in rows.
pub struct Matrix {
    /// The tensor, whose columns lie side by side.
    pub tensor: CubeTensor,
    /// How far one row is from the next.
    pub stride: usize,
}

impl Matrix {
    /// Rows as they lie, or copied if their numbers are not side by side.
    pub fn of(tensor: CubeTensor) -> Self {
        let in_rows = |tensor: &CubeTensor| match tensor.meta.strides()[..] {
            [stride, 1] => Some(stride),
            _ => None,
        };
        if !tensor.meta.is_tiled()
            && let Some(stride) = in_rows(&tensor)
        {
            return Self { tensor, stride };
        }
        let tensor = into_contiguous(tensor);
        let stride = tensor.meta.strides()[0];
        Self { tensor, stride }
    }

    /// Rows one right after the other, copied if they are not: CUDA leaves room between those of most tensors.
    pub fn dense(tensor: CubeTensor) -> Self {
        let tensor = into_contiguous(tensor);
        let stride = tensor.meta.shape()[1];
        Self { tensor, stride }
    }

    /// A matrix of numbers that are still to be written.
    pub fn empty(dims: [usize; 2], like: &CubeTensor) -> Self {
        Self {
            tensor: empty(dims, like),
            stride: dims[1],
        }
    }

    /// For a kernel.
    pub fn argument(&self) -> BufferArg {
        argument(&self.tensor, self.len())
    }

    /// From the first number to the last.
    fn len(&self) -> usize {
        let dims = self.tensor.meta.shape();
        match dims[0] {
            0 => 0,
            rows => (rows - 1) * self.stride + dims[1],
        }
    }
}

/// A tensor of numbers that are still to be written, side by side.
pub fn empty<const D: usize>(dims: [usize; D], like: &CubeTensor) -> CubeTensor {
    let (client, device) = (like.client.clone(), like.device.clone());
    empty_device_contiguous_dtype(client, device, Shape::from(dims), DType::F32)
}

/// A tensor of this shape, of numbers that are still to be written, side by side.
pub fn empty_like(like: &CubeTensor) -> CubeTensor {
    let (client, device) = (like.client.clone(), like.device.clone());
    empty_device_contiguous_dtype(client, device, like.meta.shape().clone(), DType::F32)
}

/// The first `len` numbers of a tensor, for a kernel.
pub fn argument(tensor: &CubeTensor, len: usize) -> BufferArg {
    #[allow(unsafe_code, reason = "the tensor has as many numbers")]
    unsafe {
        BufferArg::from_raw_parts(tensor.handle.clone(), len)
    }
}

/// Buffers one after the other, for a kernel.
pub fn sequence<'a>(buffers: impl IntoIterator<Item = &'a Matrix>) -> SequenceArg<Box<[f32]>> {
    let mut sequence = SequenceArg::new();
    buffers
        .into_iter()
        .for_each(|buffer| sequence.push(buffer.argument()));
    sequence
}
