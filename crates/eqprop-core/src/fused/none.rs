//! Stand-in for a fast backend that is not compiled in: everything runs step by step.

#![allow(
    dead_code,
    reason = "backends differ in what they do; this stands in for each of them"
)]

use burn::tensor::{Device, Tensor};

use super::{After, Before, Edge, Problem, Response, Settled, Step};
use crate::contrast::{Share, StatePair};
use crate::geometry::ConvolutionGeometry;
use crate::state::State;

pub fn relax(_problem: &Problem<'_>, _start: &State) -> Option<Settled> {
    None
}

pub fn product(_x: &Tensor<2>, _weights: &Tensor<2>) -> Option<Tensor<2>> {
    None
}

pub fn repeated(_batch: &Tensor<2>, _n: usize) -> Option<Tensor<2>> {
    None
}

pub fn factors(
    _share: Share,
    _pair: StatePair<'_>,
    _post: [&Tensor<2>; 2],
    _scale: f64,
) -> Option<[Tensor<2>; 2]> {
    None
}

pub fn product_over_rows(_below: &Tensor<2>, _above: &Tensor<2>) -> Option<Tensor<2>> {
    None
}

#[allow(
    clippy::result_large_err,
    reason = "the tensor must be handed back, so that nobody else holds it"
)]
pub fn descend_along(
    _rate: f64,
    parameter: Tensor<2>,
    _factors: [&Tensor<2>; 2],
) -> Result<Tensor<2>, Tensor<2>> {
    Err(parameter)
}

pub fn convolution(
    _pre: &Tensor<2>,
    _kernel: &Tensor<4>,
    _geometry: ConvolutionGeometry,
) -> Option<Tensor<2>> {
    None
}

pub fn convolution_contrast(
    _share: Share,
    _pre: StatePair<'_>,
    _post: [&Tensor<2>; 2],
    _kernel: &Tensor<4>,
    _geometry: ConvolutionGeometry,
    _scale: f64,
) -> Option<Tensor<4>> {
    None
}

pub fn prediction(
    _edge: Edge<'_>,
    _below: &Tensor<2>,
    _bias: &Tensor<2>,
    _response: Response,
) -> Option<[Tensor<2>; 2]> {
    None
}

pub fn prediction_error(
    _state: &Tensor<2>,
    _drive: &Tensor<2>,
    _response: Response,
) -> Option<Tensor<2>> {
    None
}

#[allow(
    clippy::result_large_err,
    reason = "the tensors must be handed back, so that nobody else holds them"
)]
pub fn descend<const D: usize>(_step: Step, before: Before<D>) -> Result<After<D>, Before<D>> {
    Err(before)
}

pub fn overwrite<const D: usize>(_buffer: &Tensor<D>, _numbers: &Tensor<D>) -> Option<Tensor<D>> {
    None
}

pub fn computes_in_place<const D: usize>(_numbers: &Tensor<D>) -> bool {
    false
}

pub fn copied<const D: usize>(_numbers: &Tensor<D>) -> Option<Tensor<D>> {
    None
}

pub fn launches(_device: &Device, _work: impl FnOnce()) -> Option<Vec<&'static str>> {
    None
}

pub fn overwrite_both<const D: usize>(
    _buffers: [&Tensor<D>; 2],
    _numbers: [&Tensor<D>; 2],
) -> Option<[Tensor<D>; 2]> {
    None
}

pub fn summed_difference(
    _first: &Tensor<2>,
    _second: &Tensor<2>,
    _scale: f64,
) -> Option<Tensor<1>> {
    None
}
