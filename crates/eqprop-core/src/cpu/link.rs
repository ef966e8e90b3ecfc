//! A connection between two free layers, packed for many steps.

use std::sync::OnceLock;

use super::Floats;
use super::convolution::PackedConvolution;
use super::product::Right;
use crate::connection::Operator;
use crate::shape::LayerShape;

/// A connection with its weights packed for both directions.
#[derive(Debug)]
pub(crate) enum Link {
    /// `s_from W` and `s_to Wᵀ`.
    Dense(Box<DenseLink>),
    /// `P(K ∗ s_from)` and its adjoint.
    Convolution(Box<PackedConvolution>),
    /// One to one.
    Identity,
}

/// Weights between dense layers, packed for a direction when it is first needed.
#[derive(Debug)]
pub(crate) struct DenseLink {
    /// Those that send forth and those that send back, `[n_in, n_out]` both.
    weights: [Floats; 2],
    units: [usize; 2],
    places: [Places; 2],
    forward: OnceLock<Right>,
    backward: OnceLock<Right>,
}

impl DenseLink {
    /// `W`.
    pub(super) fn forward(&self) -> &Right {
        self.forward.get_or_init(|| {
            let [weights, _] = self.weights.each_ref().map(Floats::slice);
            let [n_in, n_out] = self.units;
            if self.is_plain() {
                return Right::of_rows(weights, n_in, n_out);
            }
            Right::new(n_in, n_out, |from, to| weights[self.place(from, to)])
        })
    }

    /// `Wᵀ`.
    pub(super) fn backward(&self) -> &Right {
        self.backward.get_or_init(|| {
            let [_, weights] = self.weights.each_ref().map(Floats::slice);
            let [n_in, n_out] = self.units;
            if self.is_plain() {
                return Right::of_transposed(weights, n_out, n_in);
            }
            Right::new(n_out, n_in, |to, from| weights[self.place(from, to)])
        })
    }

    fn n_weights(&self) -> usize {
        self.units.iter().product()
    }

    fn is_plain(&self) -> bool {
        self.places.iter().all(|places| places.is_plain())
    }

    /// Where the weight from one unit to another stands.
    fn place(&self, from: usize, to: usize) -> usize {
        let [below, above] = self.places;
        below.in_tensor(from) * self.units[1] + above.in_tensor(to)
    }
}

/// Where a unit stands: feature maps are kept with the channels last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    channels: usize,
    pixels: usize,
}

impl Places {
    pub(super) fn new(shape: LayerShape) -> Self {
        match shape.maps() {
            Some([channels, height, width]) => Self {
                channels,
                pixels: height * width,
            },
            None => Self {
                channels: 1,
                pixels: shape.n_units(),
            },
        }
    }

    /// Whether units stand as in the tensor.
    pub(super) fn is_plain(self) -> bool {
        self.channels == 1 || self.pixels == 1
    }

    /// The place in the tensor of the unit at `index` with the channels last.
    pub(super) fn in_tensor(self, index: usize) -> usize {
        index % self.channels * self.pixels + index / self.channels
    }
}

impl Places {
    /// Examples in the order of the tensor, with the channels last.
    pub(super) fn channels_last(self, examples: &[f32]) -> Vec<f32> {
        let mut out = examples.to_vec();
        if !self.is_plain() {
            let n = self.channels * self.pixels;
            let pairs = examples.chunks_exact(n).zip(out.chunks_exact_mut(n));
            for (example, out) in pairs {
                for (index, value) in out.iter_mut().enumerate() {
                    *value = example[self.in_tensor(index)];
                }
            }
        }
        out
    }

    /// Examples with the channels last, in the order of the tensor.
    pub(super) fn in_tensor_order(self, examples: &[f32], out: &mut [f32]) {
        if self.is_plain() {
            out.copy_from_slice(examples);
            return;
        }
        let n = self.channels * self.pixels;
        for (example, out) in examples.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
            for (index, &value) in example.iter().enumerate() {
                out[self.in_tensor(index)] = value;
            }
        }
    }
}

impl Link {
    /// Packs an operator between layers of these shapes; `None` if its weights are not at hand as
    /// slices.
    pub(crate) fn new(operator: &Operator, from: LayerShape, to: LayerShape) -> Option<Self> {
        Some(match operator {
            Operator::Dense(dense) => {
                let [forth, back] = dense.weights();
                Self::Dense(Box::new(DenseLink {
                    weights: [Floats::of(forth)?, Floats::of(back)?],
                    units: [from.n_units(), to.n_units()],
                    places: [Places::new(from), Places::new(to)],
                    forward: OnceLock::new(),
                    backward: OnceLock::new(),
                }))
            }
            Operator::Convolution(convolution) => {
                let [forth, back] = convolution.kernels();
                let (forth, back) = (Floats::of(forth)?, Floats::of(back)?);
                let geometry = convolution.geometry();
                if !geometry.is_supported() {
                    return None;
                }
                Self::Convolution(Box::new(PackedConvolution::new(
                    [forth.slice(), back.slice()],
                    geometry,
                )))
            }
            Operator::Identity => Self::Identity,
        })
    }

    /// Packs both directions, for a relaxation that is about to need them.
    pub(super) fn pack(&self) {
        if let Self::Dense(dense) = self {
            dense.forward();
            dense.backward();
        }
    }

    /// Numbers that a step reads of the weights.
    pub(super) fn n_weights(&self) -> usize {
        match self {
            Self::Dense(dense) => 2 * dense.n_weights(),
            Self::Convolution(convolution) => convolution.n_weights(),
            Self::Identity => 0,
        }
    }

    /// Multiplications for one example in both directions.
    pub(super) fn work(&self) -> usize {
        match self {
            Self::Dense(dense) => 2 * dense.n_weights(),
            Self::Convolution(convolution) => convolution.work(),
            Self::Identity => 0,
        }
    }
}
