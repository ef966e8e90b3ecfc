//! Steps of stochastic gradient descent, and copies into existing buffers.

use burn::tensor::{Shape, Tensor};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::buffer::{argument, empty_like};
use super::custom::{handle, owned, run, tensor};
use super::kernel::descend::{self, DescendPlan};
use super::operations::spread;
use crate::fused::{After, Before, Step};

/// Threads per cube.
const N_THREADS: usize = 256;

/// A descent step, in place where nobody else holds the tensors, or its arguments.
#[allow(
    clippy::result_large_err,
    reason = "the tensors must be handed back, so that nobody else holds them"
)]
pub fn descend<const D: usize>(
    step: Step,
    (parameter, gradient, velocity): Before<D>,
) -> Result<After<D>, Before<D>> {
    let shape = parameter.dims();
    let fits = |tensor: &Tensor<D>| tensor.dims() == shape && handle(tensor).is_some();
    if !fits(&parameter) || !fits(&gradient) || !velocity.as_ref().is_none_or(fits) {
        return Err((parameter, gradient, velocity));
    }
    let has_momentum = step.momentum != 0.0;
    let velocity = velocity.filter(|_| has_momentum);
    let inputs = [Some(gradient), Some(parameter), velocity];
    let inputs = inputs
        .into_iter()
        .flatten()
        .map(owned)
        .collect::<Option<Vec<_>>>();
    let inputs = inputs.expect("checked to be for this backend");
    let n_outputs = 1 + usize::from(has_momentum);
    let shapes = vec![Shape::from(shape); n_outputs];
    let outputs = run("eqprop_descend", inputs, &shapes, move |inputs| {
        let mut inputs = inputs.into_iter();
        let gradient = into_contiguous(inputs.next().expect("the gradient comes first"));
        let n = gradient.meta.num_elements();
        let [theta, velocity] = [(); 2].map(|()| inputs.next().map(Place::of));
        let theta = theta.expect("the parameter comes second");
        let goes_on = velocity.is_some();
        let fresh = || Place {
            from: None,
            to: empty_like(&gradient),
        };
        let moving = velocity.or_else(|| has_momentum.then(fresh));
        let stays = |part: &Place| part.from.is_none();
        let plan = DescendPlan {
            in_place: [stays(&theta), moving.as_ref().is_none_or(stays)],
            goes_on,
            has_momentum,
            nesterov: step.nesterov,
        };
        let mut before = SequenceArg::new();
        let mut to = SequenceArg::new();
        let parts = [Some(&theta), moving.as_ref()];
        for from in parts
            .into_iter()
            .flatten()
            .filter_map(|part| part.from.as_ref())
        {
            before.push(argument(from, n));
        }
        if let Some(moving) = &moving {
            to.push(argument(&moving.to, n));
        }
        #[allow(unsafe_code, reason = "all tensors have as many numbers")]
        unsafe {
            descend::descend::launch_unchecked(
                &gradient.client,
                spread(n.div_ceil(N_THREADS)),
                CubeDim::new_1d(N_THREADS as u32),
                argument(&gradient, n),
                before,
                argument(&theta.to, n),
                to,
                step.learning_rate as f32,
                step.momentum as f32,
                step.weight_decay as f32,
                n as u32,
                plan,
            );
        }
        [Some(theta), moving]
            .into_iter()
            .flatten()
            .map(|part| part.to)
            .collect()
    });
    let mut outputs = outputs.into_iter().map(tensor);
    let parameter = outputs.next().expect("the parameter comes first");
    Ok((parameter, outputs.next()))
}

/// The buffer that is written, and the one that is read if it is another.
struct Place {
    from: Option<CubeTensor>,
    to: CubeTensor,
}

impl Place {
    fn of(tensor: CubeTensor) -> Self {
        // A recorded computation must keep its parameters in the same buffers.
        let is_alone = tensor.can_mut() || tensor.client.is_capturing();
        let is_alone = is_alone && tensor.is_contiguous();
        let tensor = into_contiguous(tensor);
        match is_alone {
            true => Self {
                from: None,
                to: tensor,
            },
            false => Self {
                to: empty_like(&tensor),
                from: Some(tensor),
            },
        }
    }
}

/// Whether this is a tensor in `f32` on a GPU backend, outside autodiff.
pub fn computes_in_place<const D: usize>(numbers: &Tensor<D>) -> bool {
    handle(numbers).is_some()
}

/// A contiguous copy in a buffer of its own; `None` on other backends.
pub fn copied<const D: usize>(numbers: &Tensor<D>) -> Option<Tensor<D>> {
    let shapes = [Shape::from(numbers.dims())];
    let outputs = run("eqprop_copied", vec![handle(numbers)?], &shapes, |inputs| {
        let from = into_contiguous(one(inputs));
        let to = empty_like(&from);
        copy(&from, &to);
        vec![to]
    });
    Some(tensor(one(outputs)))
}

/// Writes `numbers` into `buffer`, even if others hold it, and returns that tensor; `None` on other backends.
pub fn overwrite<const D: usize>(buffer: &Tensor<D>, numbers: &Tensor<D>) -> Option<Tensor<D>> {
    assert_eq!(
        buffer.dims(),
        numbers.dims(),
        "a buffer takes as many numbers as it has"
    );
    let inputs = vec![handle(buffer)?, handle(numbers)?];
    let shapes = [Shape::from(buffer.dims())];
    let outputs = run("eqprop_overwrite", inputs, &shapes, |inputs| {
        let mut inputs = inputs.into_iter();
        let buffer = inputs.next().expect("the buffer comes first");
        assert!(
            buffer.is_contiguous(),
            "the numbers of a buffer lie side by side"
        );
        copy(&into_contiguous(one(inputs)), &buffer);
        vec![buffer]
    });
    Some(tensor(one(outputs)))
}

/// [`overwrite`] of two buffers, in one launch.
pub fn overwrite_both<const D: usize>(
    buffers: [&Tensor<D>; 2],
    numbers: [&Tensor<D>; 2],
) -> Option<[Tensor<D>; 2]> {
    for (buffer, numbers) in buffers.iter().zip(&numbers) {
        assert_eq!(
            buffer.dims(),
            numbers.dims(),
            "a buffer takes as many numbers as it has"
        );
    }
    let inputs = buffers.into_iter().chain(numbers).map(handle);
    let shapes = buffers.map(|buffer| Shape::from(buffer.dims()));
    let inputs = inputs.collect::<Option<Vec<_>>>()?;
    let outputs = run("eqprop_overwrite_both", inputs, &shapes, |mut inputs| {
        let from = inputs.split_off(2).into_iter().map(into_contiguous);
        assert!(
            inputs.iter().all(CubeTensor::is_contiguous),
            "the numbers of a buffer lie side by side"
        );
        let from: Vec<CubeTensor> = from.collect();
        copy_all([&from[0], &from[1]], [&inputs[0], &inputs[1]]);
        inputs
    });
    let mut outputs = outputs.into_iter().map(tensor);
    Some([(); 2].map(|()| outputs.next().expect("there are two")))
}

fn copy(from: &CubeTensor, to: &CubeTensor) {
    copy_all([from], [to]);
}

fn copy_all<const N: usize>(from: [&CubeTensor; N], to: [&CubeTensor; N]) {
    let lengths = from.map(|from| from.meta.num_elements());
    let n: usize = lengths.iter().sum();
    let (mut read, mut written) = (SequenceArg::new(), SequenceArg::new());
    for ((from, to), &n) in from.iter().zip(&to).zip(&lengths) {
        read.push(argument(from, n));
        written.push(argument(to, n));
    }
    #[allow(unsafe_code, reason = "both tensors have as many numbers")]
    unsafe {
        descend::copy::launch_unchecked(
            &to[0].client,
            spread(n.div_ceil(N_THREADS)),
            CubeDim::new_1d(N_THREADS as u32),
            read,
            written,
            lengths.to_vec(),
        );
    }
}

fn one<T>(items: impl IntoIterator<Item = T>) -> T {
    items.into_iter().next().expect("there is one")
}
