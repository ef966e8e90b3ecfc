//! Dense connection between two layers, or within one.

use std::sync::{Arc, OnceLock};

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor};

use super::config::{ConnectionConfig, ConnectionKind, InitializerConfig, can_be_counted, draw};
use super::pool_indices::PoolIndices;
use super::source::{WeightSource, redraw};
use super::term::{Prepared, Term, same_kind};
use crate::contrast::{Share, StatePair};
use crate::fused::{Weights, operations};
use crate::gradients::{Gradients, OuterProduct};
use crate::shape::LayerShape;

/// Dense connection, the energy term `−s_from W s_toᵀ`.
///
/// Within one layer (`from == to`) the diagonal of `W` is ignored: no unit is connected to itself
/// (Scellier & Bengio 2017, §2.1). Two units are connected by `W + Wᵀ`, which is symmetric for every
/// `W`. All units of the layer are updated at once, so `s ← σ(drive)` is a fixed-point step, not an
/// exact minimization. As every potential has a curvature of at least 1,
///
/// ```text
/// E(σ(drive)) − E(s) ≤ −½ dᵀ (I + W + Wᵀ) d,   d = σ(drive) − s
/// ```
///
/// so that the step does not raise the energy as long as no eigenvalue of `W + Wᵀ` is below −1. With
/// stronger inhibition it may, and units that inhibit each other may oscillate forever; gradient flow
/// with a small step size does not.
#[derive(Module, Debug)]
pub struct Dense {
    /// Weights, `[n_in, n_out]`.
    pub weight: Param<Tensor<2>>,
    #[module(skip)]
    lateral: bool,
}

impl Dense {
    pub(super) fn fits(from: LayerShape, to: LayerShape) -> Result<(), String> {
        match can_be_counted([from.n_units(), to.n_units()]) {
            true => Ok(()),
            false => Err("smaller layers: its weights cannot be counted".to_string()),
        }
    }

    pub(super) fn new(
        config: &ConnectionConfig,
        from: LayerShape,
        to: LayerShape,
        device: &Device,
    ) -> Self {
        let (n_in, n_out) = (from.n_units(), to.n_units());
        Self {
            weight: draw(config.initializer, [n_in, n_out], (n_in, n_out), device),
            lateral: config.from == config.to,
        }
    }

    /// The weights without self-connections.
    fn held(&self) -> Tensor<2> {
        self.without_self(self.weight.val())
    }

    /// Removes self-connections: within one layer, the diagonal.
    fn without_self(&self, weight: Tensor<2>) -> Tensor<2> {
        if !self.lateral {
            return weight;
        }
        let [n, _] = weight.dims();
        let eye = Tensor::<2>::eye(n, &weight.device()).cast(weight.dtype());
        weight * (1.0 - eye)
    }
}

impl Term for Dense {
    fn kind(&self) -> ConnectionKind {
        ConnectionKind::Dense
    }

    fn parameter(&self) -> Option<ParamId> {
        Some(self.weight.id)
    }

    fn redraw(&mut self, initializer: InitializerConfig, source: &mut dyn WeightSource) {
        let fans = self.weight.val().dims();
        redraw(&mut self.weight, initializer, fans, source);
    }

    /// `s_from W`
    fn forward(&self, pre: Tensor<2>) -> Tensor<2> {
        operations::product(pre, &self.held())
    }

    fn prepare(&self, feedback: &dyn Term) -> Arc<dyn Prepared> {
        let feedback: &Self = same_kind(feedback);
        Arc::new(PreparedDense::new(self.held(), feedback.held()))
    }

    /// `∂E/∂W = −s_fromᵀ s_to`
    fn contrast(
        &self,
        others: &[&dyn Term],
        share: Share,
        pre: StatePair<'_>,
        post: [&Tensor<2>; 2],
        scale: f64,
        gradients: &mut Gradients,
    ) {
        let gradient = OuterProduct::new(operations::factors(share, pre, post, -scale));
        let ids = others.iter().filter_map(|other| other.parameter());
        if self.lateral {
            let gradient = self.without_self(gradient.form());
            return ids.for_each(|id| gradients.register(id, gradient.clone()));
        }
        ids.for_each(|id| gradients.register_product(id, gradient.clone()));
    }

    fn correlate(
        &self,
        pre: &Tensor<2>,
        post: Tensor<2>,
        _indices: &PoolIndices,
        scale: f64,
        gradients: &mut Gradients,
    ) {
        let gradient = OuterProduct::new([pre.clone(), post * scale]);
        gradients.register_product(self.weight.id, gradient);
    }
}

/// The transpose, copied: products with a transposed right factor run several times slower on
/// CPU, and a relaxation makes one per step.
fn transposed(weight: Tensor<2>) -> Tensor<2> {
    let [n_in, n_out] = weight.dims();
    // Reshaping makes it contiguous.
    let flat = weight.transpose().reshape([n_in * n_out]);
    flat.reshape([n_out, n_in])
}

/// [`Dense`] with its weights fixed; those of the feedback direction are transposed when first needed.
#[derive(Debug)]
pub struct PreparedDense {
    weight: Tensor<2>,
    feedback: Tensor<2>,
    transposed: OnceLock<Tensor<2>>,
}

impl PreparedDense {
    /// Weights of the forward and of the feedback direction, both `[n_in, n_out]`.
    pub fn new(weight: Tensor<2>, feedback: Tensor<2>) -> Self {
        Self {
            weight,
            feedback,
            transposed: OnceLock::new(),
        }
    }
}

impl Prepared for PreparedDense {
    fn forward(&self, pre: Tensor<2>) -> Tensor<2> {
        operations::product(pre, &self.weight)
    }

    /// `s_to Wᵀ`
    fn backward(&self, post: Tensor<2>, _indices: &PoolIndices) -> Tensor<2> {
        let transposed = || transposed(self.feedback.clone());
        operations::product_with_prepared(post, self.transposed.get_or_init(transposed))
    }

    fn weights(&self) -> Option<Weights<'_>> {
        Some(Weights::Dense([&self.weight, &self.feedback]))
    }
}
