//! Biases, one per unit or one per feature map, and sums over units.

use burn::module::Param;
use burn::tensor::Tensor;

use crate::fused::operations;
use crate::shape::LayerShape;

/// Returns the bias of each unit of a layer; all units of a feature map share that of their channel.
///
/// # Shapes
/// - `bias`: `[n_biases]`, output: `[1, n_units]`
pub fn spread(bias: &Param<Tensor<1>>, shape: LayerShape) -> Tensor<2> {
    let n_biases = shape.n_biases();
    let n_each = shape.n_units() / n_biases;
    let bias = bias.val().reshape([n_biases, 1]);
    bias.expand([n_biases, n_each])
        .reshape([1, n_biases * n_each])
}

/// Sums over the batch, and over each feature map: the adjoint of [`spread`].
///
/// # Shapes
/// - `values`: `[batch, n_units]`, `bias` and output: `[n_biases]`
pub fn gather(values: Tensor<2>, bias: &Param<Tensor<1>>) -> Tensor<1> {
    let [n_biases] = bias.dims();
    let per_bias = values.sum_dim(0).reshape([n_biases as i32, -1]);
    per_bias.sum_dim(1).squeeze_dim::<1>(1)
}

/// Computes `scale · Σ_batch (first − second)` for each bias.
///
/// # Shapes
/// - `first`, `second`: `[batch, n_units]`, `bias` and output: `[n_biases]`
pub fn contrast(
    first: &Tensor<2>,
    second: &Tensor<2>,
    bias: &Param<Tensor<1>>,
    scale: f64,
) -> Tensor<1> {
    let is_per_unit = bias.dims() == [first.dims()[1]];
    let at_once = is_per_unit.then(|| operations::summed_difference(first, second, scale));
    let difference = || first.clone() - second.clone();
    at_once
        .flatten()
        .unwrap_or_else(|| gather(difference(), bias) * scale)
}

/// The dot product of each example: `[batch, n]` and `[batch, n]` to `[batch]`.
pub fn dot(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    (a * b).sum_dim(1).squeeze_dim(1)
}
