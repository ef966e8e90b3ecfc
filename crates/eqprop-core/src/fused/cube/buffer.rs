//! Buffers for kernels.

use burn::tensor::{DType, Shape};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// A matrix stored row by row.
pub struct Matrix {
    /// The tensor; the elements of a row are contiguous.
    pub tensor: CubeTensor,
    /// Offset from one row to the next.
    pub stride: usize,
}

impl Matrix {
    /// The matrix as it is stored, or copied if the elements of a row are not contiguous.
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

    /// The matrix without gaps between rows, copied if there are any: CUDA pads the rows of most tensors.
    pub fn dense(tensor: CubeTensor) -> Self {
        let tensor = into_contiguous(tensor);
        let stride = tensor.meta.shape()[1];
        Self { tensor, stride }
    }

    /// An uninitialized matrix.
    pub fn empty(dims: [usize; 2], like: &CubeTensor) -> Self {
        Self {
            tensor: empty(dims, like),
            stride: dims[1],
        }
    }

    /// The matrix as a kernel argument.
    pub fn argument(&self) -> BufferArg {
        argument(&self.tensor, self.len())
    }

    /// The number of elements from the first to the last, with the gaps between rows.
    fn len(&self) -> usize {
        let dims = self.tensor.meta.shape();
        match dims[0] {
            0 => 0,
            rows => (rows - 1) * self.stride + dims[1],
        }
    }
}

/// An uninitialized contiguous tensor.
pub fn empty<const D: usize>(dims: [usize; D], like: &CubeTensor) -> CubeTensor {
    let (client, device) = (like.client.clone(), like.device.clone());
    empty_device_contiguous_dtype(client, device, Shape::from(dims), DType::F32)
}

/// An uninitialized contiguous tensor of this shape.
pub fn empty_like(like: &CubeTensor) -> CubeTensor {
    let (client, device) = (like.client.clone(), like.device.clone());
    empty_device_contiguous_dtype(client, device, like.meta.shape().clone(), DType::F32)
}

/// The first `len` elements of a tensor, as a kernel argument.
pub fn argument(tensor: &CubeTensor, len: usize) -> BufferArg {
    #[allow(unsafe_code, reason = "the tensor has as many numbers")]
    unsafe {
        BufferArg::from_raw_parts(tensor.handle.clone(), len)
    }
}

/// Several matrices as one kernel argument.
pub fn sequence<'a>(buffers: impl IntoIterator<Item = &'a Matrix>) -> SequenceArg<Box<[f32]>> {
    let mut sequence = SequenceArg::new();
    buffers
        .into_iter()
        .for_each(|buffer| sequence.push(buffer.argument()));
    sequence
}
