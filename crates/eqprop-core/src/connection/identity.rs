//! One-to-one connection.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::Tensor;

use super::config::ConnectionKind;
use super::pool_indices::PoolIndices;
use super::term::{Prepared, Term};
use crate::fused::Weights;
use crate::shape::LayerShape;

/// Connects each unit to the unit at the same position: `−⟨s_to, s_from⟩`, without parameters.
#[derive(Module, Debug)]
pub struct Identity;

impl Identity {
    pub(super) fn fits(from: LayerShape, to: LayerShape) -> Result<(), String> {
        match from == to {
            true => Ok(()),
            false => Err("two layers of the same shape".to_string()),
        }
    }
}

impl Term for Identity {
    fn kind(&self) -> ConnectionKind {
        ConnectionKind::Identity
    }

    fn forward(&self, pre: Tensor<2>) -> Tensor<2> {
        pre
    }

    fn prepare(&self, _feedback: &dyn Term) -> Arc<dyn Prepared> {
        Arc::new(Self)
    }
}

impl Prepared for Identity {
    fn forward(&self, pre: Tensor<2>) -> Tensor<2> {
        pre
    }

    fn backward(&self, post: Tensor<2>, _indices: &PoolIndices) -> Tensor<2> {
        post
    }

    fn weights(&self) -> Option<Weights<'_>> {
        Some(Weights::Identity)
    }
}
