//! Activations and the potentials that belong to them.

use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

/// Keeps logarithms finite at the ends of an activation's range; smaller than any
/// spacing of `f32` around the values that matter, larger than its smallest number.
const TINY: f64 = 1e-30;

/// How a layer responds to its drive, together with the potential that makes this
/// response the exact minimizer of the energy.
///
/// A layer with drive `u` and potential `G` minimizes `G(s) − u·s` at `s = σ(u)`, because
/// `∇G = σ⁻¹`:
///
/// ```text
///                 σ(u)                G(s), per unit
/// HardSigmoid     clip(u, 0, 1)       ½s²                               s in [0, 1]
/// Sigmoid         1/(1+e^{−4(u−½)})   ¼[s ln s + (1−s) ln(1−s)] + ½s    s in (0, 1)
/// Tanh            tanh u              ½[(1+s) ln(1+s) + (1−s) ln(1−s)]  s in (−1, 1)
/// Relu            max(u, 0)           ½s²                               s ≥ 0
/// ClippedRelu     clip(u, 0, max)     ½s²                               s in [0, max]
/// Identity        u                   ½s²
/// Softmax         e^u / Σ e^u         s ln s                            s on the simplex
/// Diode           max(u, 0)           ½s²                               s ≥ 0, first half of the units
///                 min(u, 0)           ½s²                               s ≤ 0, second half
/// ```
///
/// With the hard sigmoid this is the energy of Scellier & Bengio (2017),
/// <https://arxiv.org/abs/1602.05179>. `Sigmoid` is the `σ(4u − 2)` of the published code:
/// the smooth function closest to the hard sigmoid.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Activation {
    /// `clip(u, 0, 1)`.
    HardSigmoid,
    /// `1 / (1 + e^{−4(u − ½)})`.
    Sigmoid,
    /// `tanh u`.
    Tanh,
    /// `max(u, 0)`.
    Relu,
    /// `clip(u, 0, max)`.
    ClippedRelu {
        /// Largest value of a unit, greater than 0.
        max: f64,
    },
    /// `u`, for output layers.
    Identity,
    /// `softmax(u)` over the units of the layer, for output layers.
    Softmax,
    /// `max(u, 0)` in the first half of the units and `min(u, 0)` in the second, which has one
    /// more of an odd number: a diode between each unit and the ground.
    Diode,
}

impl Activation {
    /// The response `σ(u)` to a drive.
    ///
    /// # Shapes
    /// - `drive` and output: `[batch, n_units]`
    pub fn apply(self, drive: Tensor<2>) -> Tensor<2> {
        match self {
            Self::HardSigmoid => drive.clamp(0.0, 1.0),
            Self::Sigmoid => activation::sigmoid(drive * 4.0 - 2.0),
            Self::Tanh => drive.tanh(),
            Self::Relu => activation::relu(drive),
            Self::ClippedRelu { max } => drive.clamp(0.0, max),
            Self::Identity => drive,
            Self::Softmax => activation::softmax(drive, 1),
            Self::Diode => {
                let [_, n_units] = drive.dims();
                let n_excitatory = n_units / 2;
                if n_excitatory == 0 {
                    return drive.clamp_max(0.0);
                }
                let excitatory = drive.clone().narrow(1, 0, n_excitatory).clamp_min(0.0);
                let inhibitory = drive.narrow(1, n_excitatory, n_units - n_excitatory);
                Tensor::cat(vec![excitatory, inhibitory.clamp_max(0.0)], 1)
            }
        }
    }

    /// The drive `σ⁻¹(s) = ∇G(s)` that holds a layer at `s`.
    ///
    /// Where the inverse is infinite (an end of an open range) a large finite value is
    /// returned; where a whole range of drives leads to the same `s` (a clipped unit), the
    /// one nearest to it. The softmax leaves a constant free, which is chosen as 0.
    pub fn inverse(self, state: Tensor<2>) -> Tensor<2> {
        match self {
            Self::HardSigmoid
            | Self::Relu
            | Self::ClippedRelu { .. }
            | Self::Identity
            | Self::Diode => state,
            Self::Sigmoid => log_odds(state.clone(), 1.0 - state) * 0.25 + 0.5,
            Self::Tanh => log_odds(state.clone() + 1.0, 1.0 - state) * 0.5,
            Self::Softmax => log(state),
        }
    }

    /// `(∂σ/∂u)ᵀ · gradient` for a layer that responds with `response = σ(u)`: the gradient with
    /// respect to the drive, from the one with respect to the response. A unit that is clipped to
    /// an end of its range passes nothing on.
    ///
    /// # Shapes
    /// - `response`, `gradient` and output: `[batch, n_units]`
    pub fn pull_back(self, response: Tensor<2>, gradient: Tensor<2>) -> Tensor<2> {
        let above = |max| response.clone().greater_equal_elem(max);
        let below = || response.clone().lower_equal_elem(0.0);
        match self {
            Self::HardSigmoid => gradient.mask_fill(below().bool_or(above(1.0)), 0.0),
            Self::Sigmoid => gradient * (response.clone() - response.square()) * 4.0,
            Self::Tanh => gradient * (1.0 - response.square()),
            Self::Relu => gradient.mask_fill(below(), 0.0),
            Self::ClippedRelu { max } => gradient.mask_fill(below().bool_or(above(max)), 0.0),
            Self::Identity => gradient,
            Self::Diode => gradient.mask_fill(response.equal_elem(0.0), 0.0),
            Self::Softmax => {
                let mean = (response.clone() * gradient.clone()).sum_dim(1);
                response * (gradient - mean)
            }
        }
    }

    /// The potential `Σ_i G(s_i)` of each example.
    ///
    /// # Shapes
    /// - `state`: `[batch, n_units]`, output: `[batch]`
    pub fn potential(self, state: Tensor<2>) -> Tensor<1> {
        let per_unit = match self {
            Self::HardSigmoid
            | Self::Relu
            | Self::ClippedRelu { .. }
            | Self::Identity
            | Self::Diode => state.clone() * state * 0.5,
            Self::Sigmoid => {
                (x_log_x(state.clone()) + x_log_x(1.0 - state.clone())) * 0.25 + state * 0.5
            }
            Self::Tanh => (x_log_x(state.clone() + 1.0) + x_log_x(1.0 - state)) * 0.5,
            Self::Softmax => x_log_x(state),
        };
        per_unit.sum_dim(1).squeeze_dim(1)
    }

    /// Whether `G(s) = ½s²`, so that the layer's energy is a quadratic on a box.
    pub fn is_quadratic(self) -> bool {
        match self {
            Self::HardSigmoid
            | Self::Relu
            | Self::ClippedRelu { .. }
            | Self::Identity
            | Self::Diode => true,
            Self::Sigmoid | Self::Tanh | Self::Softmax => false,
        }
    }

    /// The largest value of a unit, infinite if there is none. A layer without a largest value
    /// has energies without a lower bound where its potential is outweighed.
    pub fn max(self) -> f64 {
        match self {
            Self::HardSigmoid | Self::Sigmoid | Self::Tanh | Self::Softmax => 1.0,
            Self::ClippedRelu { max } => max,
            Self::Relu | Self::Identity | Self::Diode => f64::INFINITY,
        }
    }

    /// The value of every unit of a layer of `n_units` that nothing has driven yet: the
    /// start of the first free phase.
    pub fn rest(self, n_units: usize) -> f64 {
        match self {
            Self::HardSigmoid
            | Self::Tanh
            | Self::Relu
            | Self::ClippedRelu { .. }
            | Self::Identity
            | Self::Diode => 0.0,
            Self::Sigmoid => 1.0 / (1.0 + 2f64.exp()),
            Self::Softmax => 1.0 / n_units as f64,
        }
    }
}

fn log(x: Tensor<2>) -> Tensor<2> {
    x.clamp_min(TINY).log()
}

fn log_odds(x: Tensor<2>, complement: Tensor<2>) -> Tensor<2> {
    log(x) - log(complement)
}

/// `x ln x`, continued by 0 at 0.
fn x_log_x(x: Tensor<2>) -> Tensor<2> {
    log(x.clone()) * x
}
