//! Softmax attention within a layer of feature maps.

mod prepared;

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use self::prepared::PreparedAttention;
use super::config::{AttentionConfig, ConnectionKind, InitializerConfig, can_be_counted, draw};
use super::source::{WeightSource, redraw};
use super::term::{Prepared, Term, same_kind};
use crate::contrast::{Share, StatePair};
use crate::gradients::Gradients;
use crate::shape::LayerShape;

/// Softmax attention between the positions of a layer, the term
///
/// ```text
/// E_att(s) = −1/b Σ_heads Σ_q log Σ_k exp(b Q_q·K_k),   Q_q = g_q W_q,  K_k = g_k W_k,  b = 1/√width
/// ```
///
/// of the energy. The positions of the feature maps are the tokens: `g_q` holds the values of all
/// channels at position `q`, and all positions share the weights. A query attends to all positions,
/// including its own. There are no values, only queries and keys: with `P = softmax_k(b Q_q·K_k)` the
/// drive of a token is the sum of its part as a query, which is that of ordinary attention, and its
/// part as a key,
///
/// ```text
/// −∂E_att/∂g_c = Σ_heads [ (Σ_k P_ck K_k) W_qᵀ + (Σ_q P_qc Q_q) W_kᵀ ]
/// ```
///
/// The term is not bilinear: its drive depends on the layer that it drives, like that of a
/// [`Dense`](super::Dense) connection within a layer, but is not linear in it. The activation of the
/// layer keeps the tokens bounded, in place of a layer norm, so it should be one with a largest value.
///
/// # When a step cannot raise the energy
/// No eigenvalue of the Hessian of `E_att` over `n` tokens is above
///
/// ```text
/// Λ = 2√n Σ_heads ‖W_q‖ ‖W_k‖
/// ```
///
/// with the spectral norms of the columns of each head: the rows of `P` sum to 1, so that its norm is at most
/// `√n`, and the variance of the keys under `P` only lowers the eigenvalues. As every potential has a
/// curvature of at least 1, `s ← σ(drive)` does not raise the energy if `Λ ≤ 1`, with all other layers fixed,
/// and neither does a step of gradient flow of size `min(1, 2/(1 + Λ))`. The bound is far from tight:
/// attention that draws tokens together is concave, and any step lowers it. Where tokens that repel each
/// other oscillate, a gradient flow with small steps does not.
///
/// # Reference
/// Hoover et al. (2023), "Energy Transformer", <https://arxiv.org/abs/2302.07253>; Ramsauer et al.
/// (2020), <https://arxiv.org/abs/2008.02217>
#[derive(Module, Debug)]
pub struct Attention {
    /// `W_q` of all heads side by side, `[channels, heads · width]`.
    pub query: Param<Tensor<2>>,
    /// `W_k` of all heads side by side, `[channels, heads · width]`.
    pub key: Param<Tensor<2>>,
    #[module(skip)]
    config: AttentionConfig,
    #[module(skip)]
    n_tokens: usize,
}

impl Attention {
    pub(super) fn fits(config: AttentionConfig, layer: LayerShape) -> Result<(), String> {
        let AttentionConfig { heads, width } = config;
        if heads == 0 || width == 0 {
            return Err(format!(
                "at least one head, and keys of a width of at least 1, but has {heads} heads of \
                 width {width}"
            ));
        }
        let Some([channels, rows, columns]) = layer.maps() else {
            return Err(format!(
                "a layer of feature maps, whose positions are the tokens, but layer has {layer} \
                 units without positions"
            ));
        };
        let n_tokens = rows * columns;
        let sizes = [
            [2, channels, heads, width],
            [2, n_tokens, heads, width],
            [heads, n_tokens, n_tokens, 1],
        ];
        match sizes.into_iter().all(can_be_counted) {
            true => Ok(()),
            false => Err(
                "fewer or narrower heads, or fewer tokens: its numbers cannot be counted"
                    .to_string(),
            ),
        }
    }

    /// Attention within a layer that it [fits](Self::fits).
    pub(super) fn new(
        config: AttentionConfig,
        initializer: InitializerConfig,
        layer: LayerShape,
        device: &Device,
    ) -> Self {
        let [channels, rows, columns] = layer.maps().expect("checked to fit");
        let n_out = config.n_columns();
        let weights = || draw(initializer, [channels, n_out], (channels, n_out), device);
        Self {
            query: weights(),
            key: weights(),
            config,
            n_tokens: rows * columns,
        }
    }

    /// Returns the number of heads and the width of their keys.
    pub fn config(&self) -> AttentionConfig {
        self.config
    }

    fn prepared(&self) -> PreparedAttention {
        let weights = [self.query.val(), self.key.val()];
        PreparedAttention::new(weights, self.config, self.n_tokens)
    }
}

impl Term for Attention {
    fn kind(&self) -> ConnectionKind {
        ConnectionKind::Attention(self.config)
    }

    fn redraw(&mut self, initializer: InitializerConfig, source: &mut dyn WeightSource) {
        for weights in [&mut self.query, &mut self.key] {
            let fans = weights.val().dims();
            redraw(weights, initializer, fans, source);
        }
    }

    fn forward(&self, pre: Tensor<2>) -> Tensor<2> {
        self.prepared().forward(pre)
    }

    /// It has one pair of weights: fields with separate weights for each direction refuse it.
    fn prepare(&self, _feedback: &dyn Term) -> Arc<dyn Prepared> {
        Arc::new(self.prepared())
    }

    /// `∂E/∂W_q = −Σ_q g_qᵀ Σ_k P_qk K_k` and `∂E/∂W_k = −Σ_k g_kᵀ Σ_q P_qk Q_q`, each head in its own
    /// columns.
    fn contrast(
        &self,
        others: &[&dyn Term],
        _share: Share,
        _pre: StatePair<'_>,
        post: [&Tensor<2>; 2],
        scale: f64,
        gradients: &mut Gradients,
    ) {
        let both = self.prepared().contrast(post, -scale);
        let n_columns = self.config.n_columns();
        for other in others {
            let Self { query, key, .. } = same_kind(*other);
            for (weights, start) in [(query, 0), (key, n_columns)] {
                gradients.register(weights.id, both.clone().narrow(1, start, n_columns));
            }
        }
    }
}
