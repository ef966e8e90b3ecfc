//! Single operations on `flex`.

use burn::tensor::{DType, Tensor};

use super::floats::{Floats, tensor};
use super::packed;
use crate::contrast::{Share, StatePair};
use crate::fused::{After, Before, Edge, Response, Step};
use crate::geometry::ConvolutionGeometry;
use crate::kernel::convolution::{contrast_of_batch, forward_of_batch};
use crate::kernel::descent::Pass;
use crate::kernel::epilogue::{Base, Epilogue, Rule};
use crate::kernel::outer::{self, Half, Pre};
use crate::kernel::response::{Response as Of, apply, error};
use crate::kernel::team::share;
use crate::kernel::threads::{self, threads_for};
use crate::kernel::{Left, ZeroPattern};

/// Minimum number of examples for which packing the weights pays off.
const WORTH_PACKING: usize = 32;
/// Minimum number of multiplications of a prediction per thread.
const WORTH_A_THREAD: usize = 2_000_000;

/// The data of a pair of states.
enum Numbers {
    Same(Floats),
    Two(Floats, Floats),
}

impl Numbers {
    fn of(pair: StatePair<'_>) -> Option<Self> {
        Some(match pair {
            StatePair::Clamped(input) => Self::Same(Floats::of(input)?),
            StatePair::Free(first, second) => Self::Two(Floats::of(first)?, Floats::of(second)?),
        })
    }

    fn pre(&self) -> Pre<'_> {
        match self {
            Self::Same(both) => Pre::Same(both.slice()),
            Self::Two(first, second) => Pre::Two(first.slice(), second.slice()),
        }
    }
}

fn halves(share: Share) -> &'static [Half] {
    match share {
        Share::Whole => &[Half::Difference, Half::Sum],
        Share::Forward => &[Half::Sum],
        Share::Feedback => &[Half::Difference],
    }
}

pub fn product(x: &Tensor<2>, weights: &Tensor<2>) -> Option<Tensor<2>> {
    let ([batch, n_in], [_, n_out]) = (x.dims(), weights.dims());
    let (left, right) = (Floats::of(x)?, Floats::of(weights)?);
    let out = outer::product(left.slice(), right.slice(), [batch, n_in, n_out]);
    Some(tensor(out, [batch, n_out], &x.device()))
}

pub fn repeated(batch: &Tensor<2>, n: usize) -> Option<Tensor<2>> {
    let [rows, columns] = batch.dims();
    let copies = threads::repeated(Floats::of(batch)?.slice(), n);
    Some(tensor(copies, [n * rows, columns], &batch.device()))
}

pub fn factors(
    share: Share,
    pair: StatePair<'_>,
    [first, second]: [&Tensor<2>; 2],
    scale: f64,
) -> Option<[Tensor<2>; 2]> {
    let (StatePair::Clamped(below) | StatePair::Free(below, _)) = pair;
    let ([_, n_in], [_, n_out]) = (below.dims(), first.dims());
    let device = first.device();
    let (first, second) = (Floats::of(first)?, Floats::of(second)?);
    let pre = Numbers::of(pair)?;
    let post = [first.slice(), second.slice()];
    let (sent, received) = outer::factors(halves(share), pre.pre(), post, scale as f32);
    let rows = |numbers: Vec<f32>, n: usize| {
        let rows = numbers.len() / n;
        tensor(numbers, [rows, n], &device)
    };
    let sent = sent.map_or_else(|| below.clone(), |sent| rows(sent, n_in));
    Some([sent, rows(received, n_out)])
}

pub fn product_over_rows(below: &Tensor<2>, above: &Tensor<2>) -> Option<Tensor<2>> {
    let shape = [below.dims()[1], above.dims()[1]];
    let device = below.device();
    let (below, above) = (Floats::of(below)?, Floats::of(above)?);
    let out = outer::product_over_rows(below.slice(), above.slice(), shape);
    Some(tensor(out, shape, &device))
}

/// `parameter − rate · belowᵀ above` in place, or the unchanged parameter on other backends.
#[allow(
    clippy::result_large_err,
    reason = "the tensor must be handed back, so that nobody else holds it"
)]
pub fn descend_along(
    rate: f64,
    parameter: Tensor<2>,
    [below, above]: [&Tensor<2>; 2],
) -> Result<Tensor<2>, Tensor<2>> {
    let shape = parameter.dims();
    let (Some(below), Some(above), Some(_)) =
        (Floats::of(below), Floats::of(above), Floats::of(&parameter))
    else {
        return Err(parameter);
    };
    let mut out = Floats::owned(parameter).expect("checked to be for this backend");
    let factor = -(rate as f32);
    outer::add_product_over_rows(factor, below.slice(), above.slice(), shape, out.slice_mut());
    Ok(out.into_tensor())
}

/// `P(K ∗ pre)`, for a single use of the kernel.
pub fn convolution(
    pre: &Tensor<2>,
    kernel: &Tensor<4>,
    geometry: ConvolutionGeometry,
) -> Option<Tensor<2>> {
    let (below, kernel) = (Floats::of(pre)?, Floats::of(kernel)?);
    let [batch, _] = pre.dims();
    let n_out = geometry.output.iter().product();
    let packed = packed::geometry(geometry)?;
    let out = forward_of_batch(below.slice(), kernel.slice(), packed, batch);
    Some(tensor(out, [batch, n_out], &pre.device()))
}

/// The share of `scale · Σ_batch [∂⟨post, P(K ∗ pre)⟩/∂K (first) − … (second)]`; also `None` for a stride
/// other than 1.
pub fn convolution_contrast(
    share: Share,
    pre: StatePair<'_>,
    [first, second]: [&Tensor<2>; 2],
    kernel: &Tensor<4>,
    geometry: ConvolutionGeometry,
    scale: f64,
) -> Option<Tensor<4>> {
    let geometry = packed::geometry(geometry).filter(|geometry| geometry.stride == 1)?;
    let (device, shape) = (first.device(), kernel.dims());
    let (first, second) = (Floats::of(first)?, Floats::of(second)?);
    let (kernel, pre) = (Floats::of(kernel)?, Numbers::of(pre)?);
    let out = contrast_of_batch(
        halves(share),
        pre.pre(),
        [first.slice(), second.slice()],
        kernel.slice(),
        geometry,
        scale as f32,
    );
    Some(tensor(out, shape, &device))
}

/// The pre-activation `a = h W + b` that a layer predicts for the one above, and `σ(a)`; also `None` for a
/// batch too small for packing the weights to pay off.
pub fn prediction(
    edge: Edge<'_>,
    below: &Tensor<2>,
    bias: &Tensor<2>,
    response: Response,
) -> Option<[Tensor<2>; 2]> {
    let Of::Clip(bounds) = packed::response(response) else {
        return None;
    };
    let ([batch, n_in], [_, n_out]) = (below.dims(), bias.dims());
    if batch < WORTH_PACKING {
        return None;
    }
    let right = edge.pack_dense([n_in, n_out])?.forward();
    let (states, bias) = (Floats::of(below)?, Floats::of(bias)?);
    let epilogue = Epilogue {
        base: Base::Row(bias.slice()),
        rule: Rule::Keep,
    };
    let n_threads = threads_for(batch * n_in * n_out, WORTH_A_THREAD).min(batch);
    let rows = batch.div_ceil(n_threads);
    let [mut drives, mut values] = [(); 2].map(|()| vec![0.0; batch * n_out]);
    let parts = drives.chunks_mut(rows * n_out);
    let parts = parts.zip(values.chunks_mut(rows * n_out));
    let parts = parts.zip(states.slice().chunks(rows * n_in));
    share(parts.collect(), n_threads, |((drive, value), states)| {
        let starts: Vec<usize> = (0..states.len() / n_in).map(|row| row * n_in).collect();
        let left = Left::matrix(states, &starts, n_in);
        right.multiply(left, epilogue, drive, n_out, &mut ZeroPattern::default());
        apply(drive, bounds, value);
    });
    let device = below.device();
    Some([drives, values].map(|numbers| tensor(numbers, [batch, n_out], &device)))
}

/// `σ′(a) (h − σ(a))`
pub fn prediction_error(
    state: &Tensor<2>,
    drive: &Tensor<2>,
    response: Response,
) -> Option<Tensor<2>> {
    let Of::Clip(bounds) = packed::response(response) else {
        return None;
    };
    let (h, a) = (Floats::of(state)?, Floats::of(drive)?);
    let mut out = Vec::new();
    error(h.slice(), a.slice(), bounds, &mut out);
    Some(tensor(out, state.dims(), &state.device()))
}

/// A descent step in place, or its arguments on other backends.
#[allow(
    clippy::result_large_err,
    reason = "the tensors must be handed back, so that nobody else holds them"
)]
pub fn descend<const D: usize>(
    step: Step,
    (parameter, gradient, velocity): Before<D>,
) -> Result<After<D>, Before<D>> {
    let shape = parameter.dims();
    let fits = |tensor: &Tensor<D>| tensor.dims() == shape && Floats::of(tensor).is_some();
    if !fits(&parameter) || !fits(&gradient) || !velocity.as_ref().is_none_or(fits) {
        return Err((parameter, gradient, velocity));
    }
    let checked = "checked to be for this backend";
    let device = parameter.device();
    let gradient = Floats::of(&gradient).expect(checked);
    let mut parameter = Floats::owned(parameter).expect(checked);
    // In the first step μ v is 0.
    let mut velocity = (step.momentum != 0.0).then(|| {
        let velocity = velocity.unwrap_or_else(|| Tensor::zeros(shape, (&device, DType::F32)));
        Floats::owned(velocity).expect(checked)
    });
    let pass = Pass {
        rate: step.learning_rate as f32,
        momentum: step.momentum as f32,
        decay: step.weight_decay as f32,
        nesterov: step.nesterov,
    };
    pass.run(
        parameter.slice_mut(),
        gradient.slice(),
        velocity.as_mut().map(Floats::slice_mut),
    );
    Ok((parameter.into_tensor(), velocity.map(Floats::into_tensor)))
}
