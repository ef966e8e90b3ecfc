//! Single operations on GPU backends.

use burn::tensor::{Shape, Tensor};
use cubecl::prelude::*;

use super::buffer::{Matrix, argument, empty, sequence};
use super::custom::{handle, owned, run, tensor};
use super::kernel::advance::{self, AdvancePlan, Sent};
use super::kernel::outer::{self, Base, Half, OuterPlan};
use super::kernel::plan::{Order, Rule};
use super::network::tile;
use crate::contrast::{Share, StatePair};

/// Threads per cube in elementwise kernels.
const N_THREADS: usize = 256;

pub fn product(x: &Tensor<2>, weights: &Tensor<2>) -> Option<Tensor<2>> {
    let ([batch, n_in], [n_sent, n_out]) = (x.dims(), weights.dims());
    if n_in != n_sent {
        return None;
    }
    let inputs = vec![handle(x)?, handle(weights)?];
    let outputs = run(
        "eqprop_product",
        inputs,
        &[Shape::from([batch, n_out])],
        move |inputs| {
            let [x, weights] = two(inputs.into_iter().map(Matrix::of));
            let client = x.tensor.client.clone();
            let out = Matrix::empty([batch, n_out], &x.tensor);
            let tile = tile(&client, batch, n_out, n_in);
            let plan = AdvancePlan {
                n: n_out,
                rule: Rule::Keep,
                terms: vec![Sent {
                    n: n_in,
                    stride: x.stride,
                    across: Some(weights.stride),
                }],
                order: Order::AtOnce,
                strides: [0; 2],
                has_constant: false,
                nudge: None,
                measures: false,
                tile,
            };
            let cubes = tile.n_cubes(n_out, batch).map(|n| n as u32);
            #[allow(
                unsafe_code,
                reason = "all places are within the shapes that the plan names"
            )]
            unsafe {
                advance::advance::launch_unchecked(
                    &client,
                    CubeCount::Static(cubes[0], cubes[1], 1),
                    CubeDim::new_1d(advance::N_THREADS as u32),
                    sequence([&x]),
                    sequence([&weights]),
                    // Not read.
                    weights.argument(),
                    weights.argument(),
                    sequence([]),
                    out.argument(),
                    // Not written.
                    argument(&out.tensor, 0),
                    0.0,
                    0.0,
                    batch as u32,
                    plan,
                );
            }
            vec![out.tensor]
        },
    );
    outputs.into_iter().next().map(tensor)
}

pub fn factors(
    share: Share,
    pair: StatePair<'_>,
    [post_first, post_second]: [&Tensor<2>; 2],
    scale: f64,
) -> Option<[Tensor<2>; 2]> {
    let StatePair::Free(pre_first, pre_second) = pair else {
        return None;
    };
    let ([n_rows, n_in], [_, n_out]) = (pre_first.dims(), post_first.dims());
    let same = |a: &Tensor<2>, b: &Tensor<2>| a.dims() == b.dims();
    if !same(pre_first, pre_second)
        || !same(post_first, post_second)
        || post_first.dims()[0] != n_rows
    {
        return None;
    }
    let halves = match share {
        Share::Whole => vec![Half::Difference, Half::Sum],
        Share::Forward => vec![Half::Sum],
        Share::Feedback => vec![Half::Difference],
    };
    let inputs = [pre_first, pre_second, post_first, post_second];
    let inputs = inputs.into_iter().map(handle).collect::<Option<Vec<_>>>()?;
    let rows = halves.len() * n_rows;
    let shapes = [[rows, n_in], [rows, n_out]].map(Shape::from);
    let outputs = run("eqprop_factors", inputs, &shapes, move |inputs| {
        let states: Vec<Matrix> = inputs.into_iter().map(Matrix::of).collect();
        let like = &states[0].tensor;
        let [below, above] = [n_in, n_out].map(|n| Matrix::empty([rows, n], like));
        let strides = [[0, 1], [2, 3]].map(|pair| pair.map(|index: usize| states[index].stride));
        let n_cubes = (n_rows * (n_in + n_out)).div_ceil(N_THREADS);
        #[allow(unsafe_code, reason = "all places are within the shapes")]
        unsafe {
            outer::factors::launch_unchecked(
                &like.client,
                spread(n_cubes),
                CubeDim::new_1d(N_THREADS as u32),
                sequence(&states[..2]),
                sequence(&states[2..]),
                below.argument(),
                above.argument(),
                (0.5 * scale) as f32,
                n_rows as u32,
                [n_in, n_out],
                strides,
                halves.clone(),
            );
        }
        vec![below.tensor, above.tensor]
    });
    let [below, above] = two(outputs.into_iter().map(tensor));
    Some([below, above])
}

pub fn product_over_rows(below: &Tensor<2>, above: &Tensor<2>) -> Option<Tensor<2>> {
    let shape = [below.dims()[1], above.dims()[1]];
    if below.dims()[0] != above.dims()[0] {
        return None;
    }
    let inputs = vec![handle(below)?, handle(above)?];
    let outputs = run(
        "eqprop_outer",
        inputs,
        &[Shape::from(shape)],
        move |inputs| {
            let [below, above] = two(inputs.into_iter().map(Matrix::of));
            let out = Matrix::empty(shape, &below.tensor);
            launch(&below, &above, None, &out, 1.0, Base::Zero);
            vec![out.tensor]
        },
    );
    outputs.into_iter().next().map(tensor)
}

pub fn summed_difference(first: &Tensor<2>, second: &Tensor<2>, scale: f64) -> Option<Tensor<1>> {
    let [n_rows, n] = first.dims();
    if second.dims() != [n_rows, n] {
        return None;
    }
    let inputs = vec![handle(first)?, handle(second)?];
    let outputs = run(
        "eqprop_summed_difference",
        inputs,
        &[Shape::from([n])],
        move |inputs| {
            let [first, second] = two(inputs.into_iter().map(Matrix::of));
            let sum = empty([n], &first.tensor);
            let [width, n_parts] = outer::SUMMED;
            #[allow(unsafe_code, reason = "all places are within the shapes")]
            unsafe {
                outer::summed_difference::launch_unchecked(
                    &first.tensor.client,
                    spread(n.div_ceil(width)),
                    CubeDim::new_1d((width * n_parts) as u32),
                    first.argument(),
                    second.argument(),
                    argument(&sum, n),
                    scale as f32,
                    n_rows as u32,
                    n,
                    [first.stride, second.stride],
                );
            }
            vec![sum]
        },
    );
    outputs.into_iter().next().map(tensor)
}

/// `parameter − rate · belowᵀ above`, in place if nobody else holds it.
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
    let fits = [below.dims()[1], above.dims()[1]] == shape && below.dims()[0] == above.dims()[0];
    let (Some(lower), Some(upper), true, true) = (
        handle(below),
        handle(above),
        fits,
        handle(&parameter).is_some(),
    ) else {
        return Err(parameter);
    };
    let parameter = owned(parameter).expect("checked to be for this backend");
    let inputs = vec![lower, upper, parameter];
    let outputs = run(
        "eqprop_descend_along",
        inputs,
        &[Shape::from(shape)],
        move |inputs| {
            let mut inputs = inputs.into_iter();
            let [below, above] = two(inputs.by_ref().take(2).map(Matrix::of));
            let parameter = inputs.next().expect("three were given");
            // A recorded computation must keep its parameters in the same buffers.
            let is_alone = parameter.can_mut() || parameter.client.is_capturing();
            let parameter = Matrix::of(parameter);
            if is_alone {
                launch(
                    &below,
                    &above,
                    None,
                    &parameter,
                    -rate as f32,
                    Base::InPlace,
                );
                return vec![parameter.tensor];
            }
            let out = Matrix::empty(shape, &parameter.tensor);
            launch(
                &below,
                &above,
                Some(&parameter),
                &out,
                -rate as f32,
                Base::Other,
            );
            vec![out.tensor]
        },
    );
    Ok(tensor(outputs.into_iter().next().expect("one is given")))
}

fn launch(
    below: &Matrix,
    above: &Matrix,
    base: Option<&Matrix>,
    out: &Matrix,
    factor: f32,
    how: Base,
) {
    let shape = [below, above].map(|factor| factor.tensor.meta.shape()[1]);
    let plan = OuterPlan {
        shape,
        strides: [
            below.stride,
            above.stride,
            base.map_or(0, |base| base.stride),
            out.stride,
        ],
        base: how,
    };
    let cubes = outer::n_cubes(shape).map(|n| n as u32);
    #[allow(
        unsafe_code,
        reason = "all places are within the shapes that the plan names"
    )]
    unsafe {
        outer::outer::launch_unchecked(
            &out.tensor.client,
            CubeCount::Static(cubes[0], cubes[1], 1),
            CubeDim::new_1d(outer::N_THREADS as u32),
            below.argument(),
            above.argument(),
            sequence(base),
            out.argument(),
            factor,
            below.tensor.meta.shape()[0] as u32,
            plan,
        );
    }
}

/// Cubes in one row, or in several where one would be too long for some devices.
pub fn spread(n_cubes: usize) -> CubeCount {
    const ROW: usize = 32_768;
    match n_cubes {
        n if n <= ROW => CubeCount::Static(n as u32, 1, 1),
        n => CubeCount::Static(ROW as u32, n.div_ceil(ROW) as u32, 1),
    }
}

fn two<T>(items: impl Iterator<Item = T>) -> [T; 2] {
    let items: Vec<T> = items.collect();
    items.try_into().ok().expect("there are two")
}
