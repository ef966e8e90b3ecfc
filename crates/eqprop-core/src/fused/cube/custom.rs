//! Custom operations among those of Burn.
//!
//! With fusion, an operation is recorded and executed later, in order with the others. The shapes of its
//! outputs must therefore be given in advance.

use burn::backend::Cube;
use burn::backend::fusion::custom::{
    CustomOpIr, HandleContainer, Operation, OperationIr, StreamId, TensorId, TensorIr,
};
use burn::backend::fusion::{ExecutionError, FusionTensor};
use burn::tensor::{DType, Shape, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::fusion::FusionCubeRuntime;
use burn_cubecl::tensor::CubeTensor;

/// A tensor of a GPU backend, as fusion sees it.
pub type Handle = FusionTensor<FusionCubeRuntime>;
type Buffers =
    HandleContainer<<FusionCubeRuntime as burn::backend::fusion::FusionRuntime>::FusionHandle>;

/// The handle of a tensor in `f32` on a GPU backend, outside autodiff; `None` for any other tensor.
pub fn handle<const D: usize>(tensor: &Tensor<D>) -> Option<Handle> {
    owned(tensor.clone())
}

/// Like [`handle`], for a tensor that the caller gives up.
pub fn owned<const D: usize>(tensor: Tensor<D>) -> Option<Handle> {
    if tensor.dtype() != DType::F32 || tensor.is_autodiff() {
        return None;
    }
    tensor.try_into_primitive::<Cube>().ok()
}

/// The tensor of a handle.
pub fn tensor<const D: usize>(handle: Handle) -> Tensor<D> {
    Tensor::from_primitive::<Cube>(handle)
}

/// Registers `launch`, which makes tensors of these shapes from `inputs`; there must be at least one input.
pub fn run<F>(name: &'static str, inputs: Vec<Handle>, shapes: &[Shape], launch: F) -> Vec<Handle>
where
    F: Fn(Vec<CubeTensor>) -> Vec<CubeTensor> + Send + Sync + 'static,
{
    let client = inputs[0].client.clone();
    let inputs: Vec<TensorIr> = inputs.into_iter().map(Handle::into_ir).collect();
    let outputs = shapes.iter().map(|shape| {
        let id = client.create_empty_handle();
        TensorIr::uninit(id, shape.clone(), DType::F32)
    });
    let outputs: Vec<TensorIr> = outputs.collect();
    let description = CustomOpIr::new(name, &inputs, &outputs);
    let operation = Launch {
        inputs,
        outputs: outputs.iter().map(|output| output.id).collect(),
        launch,
    };
    client.register(
        StreamId::current(),
        OperationIr::Custom(description),
        operation,
    )
}

struct Launch<F> {
    inputs: Vec<TensorIr>,
    outputs: Vec<TensorId>,
    launch: F,
}

impl<F> core::fmt::Debug for Launch<F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Launch")
            .field("inputs", &self.inputs)
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}

impl<F> Operation<FusionCubeRuntime> for Launch<F>
where
    F: Fn(Vec<CubeTensor>) -> Vec<CubeTensor> + Send + Sync,
{
    fn execute(&self, buffers: &mut Buffers) -> Result<(), ExecutionError> {
        let inputs = self.inputs.iter();
        let inputs = inputs.map(|input| buffers.get_float_tensor::<CubeBackend>(input));
        let outputs = (self.launch)(inputs.collect());
        for (id, output) in self.outputs.iter().zip(outputs) {
            buffers.register_float_tensor::<CubeBackend>(id, output);
        }
        Ok(())
    }
}
