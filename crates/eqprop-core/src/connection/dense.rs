//! Dense connection between two layers, or within one.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::{ConnectionConfig, Contrast, draw};
use crate::gradients::Gradients;

/// Dense connection, the term `−s_from W s_toᵀ` of the energy.
///
/// Within one layer (`from == to`) the diagonal of `W` is ignored: no unit is connected to
/// itself (Scellier & Bengio 2017, §2.1).
#[derive(Module, Debug)]
pub struct Dense {
    /// Weights, `[n_in, n_out]`.
    pub weight: Param<Tensor<2>>,
    #[module(skip)]
    lateral: bool,
}

impl Dense {
    pub(crate) fn new(
        config: &ConnectionConfig,
        n_in: usize,
        n_out: usize,
        device: &Device,
    ) -> Self {
        Self {
            weight: draw(config.initializer, [n_in, n_out], (n_in, n_out), device),
            lateral: config.from == config.to,
        }
    }

    /// `s_from W`.
    ///
    /// # Shapes
    /// - `pre`: `[batch, n_in]`, output: `[batch, n_out]`
    pub fn forward(&self, pre: Tensor<2>) -> Tensor<2> {
        pre.matmul(self.held())
    }

    /// The weights, without the diagonal within one layer.
    fn held(&self) -> Tensor<2> {
        let weight = self.weight.val();
        if self.lateral {
            weight.clone() * off_diagonal(&weight)
        } else {
            weight
        }
    }

    /// See [`Connection::operator`](super::Connection::operator).
    pub fn operator(&self) -> DenseOperator {
        let weight = self.held();
        let [n_in, n_out] = weight.dims();
        // Reshaping makes the transpose contiguous: products with a transposed right
        // factor run several times slower on CPU, and a relaxation makes one per step.
        let transposed = weight
            .clone()
            .transpose()
            .reshape([n_in * n_out])
            .reshape([n_out, n_in]);
        DenseOperator { weight, transposed }
    }

    /// `∂E/∂W = −s_fromᵀ s_to`; the difference of two such products is formed as
    /// `½[Δ_fromᵀ Σ_to + Σ_fromᵀ Δ_to]` from the differences `Δ` and sums `Σ` of the two states,
    /// which loses no digits when the states are close.
    pub(crate) fn contrast(
        &self,
        pre: Contrast<'_>,
        post: Contrast<'_>,
        scale: f64,
        gradients: &mut Gradients,
    ) {
        let Contrast::Free(post_first, post_second) = post else {
            unreachable!("a configuration with a connection into the input is refused");
        };
        let post_difference = post_first.clone() - post_second.clone();
        match pre {
            Contrast::Clamped(input) => self.correlate(input, post_difference, -scale, gradients),
            Contrast::Free(pre_first, pre_second) => {
                let half = -0.5 * scale;
                let pre_difference = (pre_first.clone() - pre_second.clone()) * half;
                let post_sum = post_first.clone() + post_second.clone();
                let pre_sum = pre_first.clone() + pre_second.clone();
                let product = pre_difference.transpose().matmul(post_sum)
                    + pre_sum.transpose().matmul(post_difference * half);
                self.register(product, gradients);
            }
        }
    }

    /// See [`Connection::correlate`](super::Connection::correlate).
    pub(crate) fn correlate(
        &self,
        pre: &Tensor<2>,
        post: Tensor<2>,
        scale: f64,
        gradients: &mut Gradients,
    ) {
        self.register(pre.clone().transpose().matmul(post * scale), gradients);
    }

    /// The gradient, without the diagonal within one layer.
    fn register(&self, product: Tensor<2>, gradients: &mut Gradients) {
        let gradient = if self.lateral {
            product.clone() * off_diagonal(&product)
        } else {
            product
        };
        gradients.register(self.weight.id, gradient);
    }
}

/// 1 off the diagonal, 0 on it.
fn off_diagonal(like: &Tensor<2>) -> Tensor<2> {
    let [n, _] = like.dims();
    let eye = Tensor::<2>::eye(n, &like.device()).cast(like.dtype());
    1.0 - eye
}

/// [`Dense`] with its weights held in both orders.
#[derive(Debug, Clone)]
pub struct DenseOperator {
    weight: Tensor<2>,
    transposed: Tensor<2>,
}

impl DenseOperator {
    /// `s_from W`.
    ///
    /// # Shapes
    /// - `pre`: `[batch, n_in]`, output: `[batch, n_out]`
    pub fn forward(&self, pre: Tensor<2>) -> Tensor<2> {
        pre.matmul(self.weight.clone())
    }

    /// `s_to Wᵀ`.
    ///
    /// # Shapes
    /// - `post`: `[batch, n_out]`, output: `[batch, n_in]`
    pub fn backward(&self, post: Tensor<2>) -> Tensor<2> {
        post.matmul(self.transposed.clone())
    }
}
