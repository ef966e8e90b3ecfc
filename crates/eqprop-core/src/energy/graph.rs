//! Drives as sums over connections.

#[cfg(feature = "flex")]
use std::sync::{Arc, OnceLock};

use burn::tensor::Tensor;

use crate::connection::Operator;
#[cfg(feature = "flex")]
use crate::cpu::Link;
#[cfg(feature = "flex")]
use crate::shape::LayerShape;
use crate::state::State;

/// The drives of a clamped field as sums over its connections:
///
/// ```text
/// drive_k = constant_k + Σ_{to = k} f_θ(s_from) + Σ_{from = k} f_θᵀ(s_to)
/// ```
///
/// What a backend needs to know to run a whole relaxation as one computation.
#[derive(Debug, Clone, Copy)]
pub struct Graph<'a> {
    /// What bias and input contribute to the drive of each free layer, `[batch, n_units]`.
    pub constant: &'a [Tensor<2>],
    /// The connections between free layers.
    pub interactions: &'a [Interaction],
}

impl Graph<'_> {
    /// The drive of a layer, `[batch, n_units]`.
    pub fn drive(self, layer: usize, state: &State) -> Tensor<2> {
        let mut drive = None;
        for interaction in self.interactions {
            let Interaction {
                from, to, operator, ..
            } = interaction;
            if *to == layer {
                add(&mut drive, operator.forward(state.layer(*from).clone()));
            }
            if *from == layer {
                let (post, pre) = (state.layer(*to).clone(), state.layer(*from));
                add(&mut drive, operator.backward(post, pre));
            }
        }
        add(&mut drive, self.constant[layer].clone());
        drive.expect("the constant part was added")
    }
}

/// Adds to a sum that may still be empty.
pub(super) fn add<const D: usize>(sum: &mut Option<Tensor<D>>, term: Tensor<D>) {
    *sum = Some(match sum.take() {
        Some(sum) => sum + term,
        None => term,
    });
}

/// A connection between two free layers, counted from 0, with its parameters held.
#[derive(Debug, Clone)]
pub struct Interaction {
    /// The layer that the forward direction starts from.
    pub from: usize,
    /// The layer that it leads to.
    pub to: usize,
    /// Both directions.
    pub operator: Operator,
    /// Packed when it is first needed, for all relaxations with these parameters.
    #[cfg(feature = "flex")]
    link: Arc<OnceLock<Option<Link>>>,
}

impl Interaction {
    /// A connection between two free layers.
    pub fn new(from: usize, to: usize, operator: Operator) -> Self {
        Self {
            from,
            to,
            operator,
            #[cfg(feature = "flex")]
            link: Arc::default(),
        }
    }

    /// The connection packed for layers of these shapes, or `None` if its parameters are not in `f32`
    /// on `flex`.
    #[cfg(feature = "flex")]
    pub(crate) fn link(&self, from: LayerShape, to: LayerShape) -> Option<&Link> {
        let link = || Link::new(&self.operator, from, to);
        self.link.get_or_init(link).as_ref()
    }
}
