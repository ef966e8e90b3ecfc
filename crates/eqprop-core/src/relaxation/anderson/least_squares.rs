//! A small least-squares problem for each example of a batch.

use burn::tensor::Tensor;

/// Added to the diagonal of the normal equations, whose columns have length 1: anything smaller than
/// this is rounding in `f32`.
const REGULARIZATION: f64 = 1e-6;
/// Keeps the squared length of a column of zeros from dividing by 0.
const TINY: f64 = 1e-30;

/// For each example the `γ` that minimizes `|target − Σ_j γ_j columns_j|²` over the counted columns,
/// which are scaled to length 1, with a small regularization.
///
/// # Shapes
/// - `columns`: `[batch, m, n]`, `counted`: `[batch, m, 1]`, `target`: `[batch, n, 1]`
/// - output: `[batch, m, 1]`
pub(super) fn least_squares(
    columns: &Tensor<3>,
    counted: &Tensor<3>,
    target: Tensor<3>,
) -> Tensor<3> {
    let [_, m, _] = columns.dims();
    let identity = Tensor::<2>::eye(m, &columns.device()).cast(columns.dtype());
    let identity = identity.unsqueeze_dim::<3>(0);
    let products = columns.clone().matmul(columns.clone().swap_dims(1, 2));
    let squares = (products.clone() * identity.clone()).sum_dim(2);
    let scale = squares.clamp_min(TINY).sqrt().recip() * counted.clone();
    let matrix = products * scale.clone() * scale.clone().swap_dims(1, 2);
    let right = columns.clone().matmul(target) * scale.clone();
    solve(matrix + identity.clone() * REGULARIZATION, right, &identity) * scale
}

/// Solves `matrix · x = right` for each example by Gauss–Jordan elimination. No row needs to be
/// exchanged, because the matrix is symmetric and positive definite.
///
/// # Shapes
/// - `matrix`: `[batch, m, m]`, `right`: `[batch, m, 1]`, `identity`: `[1, m, m]`
/// - output: `[batch, m, 1]`
fn solve(matrix: Tensor<3>, right: Tensor<3>, identity: &Tensor<3>) -> Tensor<3> {
    let [_, m, _] = matrix.dims();
    let mut rows = Tensor::cat(vec![matrix, right], 2);
    for pivot in 0..m {
        let row = rows.clone().narrow(1, pivot, 1);
        let row = row.clone() / row.narrow(2, pivot, 1);
        // Row `pivot` becomes `row`, and the others lose their share of it.
        let column = rows.clone().narrow(2, pivot, 1) - identity.clone().narrow(2, pivot, 1);
        rows = rows - column * row;
    }
    rows.narrow(2, m, 1)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::{DType, Device, Tensor, TensorData};

    use super::least_squares;

    fn tensor(values: &[f64], shape: [usize; 3]) -> Tensor<3> {
        let data = TensorData::new(values.to_vec(), shape);
        Tensor::from_data(data, (&Device::flex(), DType::F64))
    }

    #[test]
    fn each_example_has_the_weights_that_bring_it_closest_to_its_target() {
        // 3 (1, 0, 1) − 2 (0, 4, 0) and, of lengths far apart, 5 (1000, 0, 0) + (0, 1, 0) + a rest
        // at a right angle to both.
        let columns = tensor(
            &[1.0, 0.0, 1.0, 0.0, 4.0, 0.0, 1e3, 0.0, 0.0, 0.0, 1.0, 0.0],
            [2, 2, 3],
        );
        let target = tensor(&[3.0, -8.0, 3.0, 5e3, 1.0, 7.0], [2, 3, 1]);
        let weights = |counted: [f64; 4]| {
            let weights = least_squares(&columns, &tensor(&counted, [2, 2, 1]), target.clone());
            weights.into_data().iter::<f64>().collect::<Vec<_>>()
        };
        let found = weights([1.0; 4]);
        // The regularization takes a millionth.
        for (found, expected) in found.iter().zip([3.0, -2.0, 5.0, 1.0]) {
            assert!((found / expected - 1.0).abs() < 2e-6, "{found} {expected}");
        }
        let found = weights([1.0, 0.0, 0.0, 1.0]);
        for (found, expected) in found.iter().zip([3.0, 0.0, 0.0, 1.0]) {
            assert!((found - expected).abs() < 4e-6, "{found} {expected}");
        }
    }

    #[test]
    fn columns_that_are_zero_or_the_same_are_no_harm() {
        let columns = tensor(&[2.0, 1.0, 2.0, 1.0, 0.0, 0.0], [1, 3, 2]);
        let target = tensor(&[4.0, 2.0], [1, 2, 1]);
        let weights = least_squares(&columns, &tensor(&[1.0; 3], [1, 3, 1]), target);
        let weights: Vec<f64> = weights.into_data().iter::<f64>().collect();
        // Two equal columns share the weight.
        for (found, expected) in weights.iter().zip([1.0, 1.0, 0.0]) {
            assert!((found - expected).abs() < 1e-5, "{weights:?}");
        }
    }
}
