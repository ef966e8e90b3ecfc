//! Tensors as slices of `f32`.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Device, Tensor, TensorData};

/// The data of a tensor in `f32` on `flex`, outside autodiff.
#[derive(Debug)]
pub struct Floats(FlexTensor);

impl Floats {
    /// `None` if the tensor is of another type, on another backend or on autodiff.
    pub fn of<const D: usize>(tensor: &Tensor<D>) -> Option<Self> {
        Self::owned(tensor.clone())
    }

    /// Like [`of`](Self::of), for a tensor that the caller gives up.
    pub fn owned<const D: usize>(tensor: Tensor<D>) -> Option<Self> {
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

    /// The data in row-major order.
    pub fn slice(&self) -> &[f32] {
        let slice = self.0.as_slice();
        slice.expect("made contiguous, and checked to hold this type")
    }

    /// The data, copied first if another tensor shares it.
    pub fn slice_mut(&mut self) -> &mut [f32] {
        let (start, end) = self
            .0
            .layout()
            .contiguous_offsets()
            .expect("made contiguous");
        &mut self.0.storage_mut()[start..end]
    }

    /// The tensor.
    pub fn into_tensor<const D: usize>(self) -> Tensor<D> {
        Tensor::from_primitive::<Flex>(self.0)
    }
}

/// A tensor with this data.
pub fn tensor<const D: usize>(numbers: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(numbers, shape), (device, DType::F32))
}

/// One value per example or one for all, and one per unit of a layer or one for all.
#[derive(Debug)]
pub struct PerUnit {
    numbers: Floats,
    dims: [usize; 2],
}

impl PerUnit {
    /// The values of a tensor `[batch or 1, n_units or 1]`.
    pub fn of(tensor: &Tensor<2>) -> Option<Self> {
        Some(Self {
            numbers: Floats::of(tensor)?,
            dims: tensor.dims(),
        })
    }

    /// Whether it fits `[batch, n_units]`.
    pub fn is_for(&self, dims: [usize; 2]) -> bool {
        self.dims
            .iter()
            .zip(dims)
            .all(|(&n, of)| [1, of].contains(&n))
    }

    /// The values for the units of an example, repeated endlessly.
    pub fn of_example(&self, example: usize) -> impl Iterator<Item = f32> {
        let [n_rows, n] = self.dims;
        let row = if n_rows == 1 { 0 } else { example };
        self.numbers.slice()[row * n..][..n].iter().copied().cycle()
    }
}
