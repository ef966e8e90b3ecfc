//! The rule by which a layer is predicted from the layer below.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::activation::Activation;
use crate::connection::{ConnectionConfig, ConnectionKind, InitializerConfig};
use crate::energy::hopfield::HopfieldEnergyConfig;

/// The scaling of a [`PredictiveCoding`](super::PredictiveCoding) network: the factors `c_k` of the
/// weighted sums and biases, in a network of `L` layers, not counting the input.
///
/// | | first layer, `D` inputs | hidden layer, `N` units below | output |
/// | --- | --- | --- | --- |
/// | `Standard` | 1 | 1 | 1 |
/// | `MuPc` | `1/√D` | `1/√N`, with an identity beside it `1/√(N L)` | `1/N` |
///
/// With these factors and plain gradient descent, one learning rate, proportional to the width, suits every
/// depth. The factors stay in the network. With plain gradient descent they are equivalent to initial weights
/// times `c_k` and a learning rate times `c_k²`; with weight decay, clipped gradients or an adaptive
/// optimizer they are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parametrization {
    /// No factors.
    #[default]
    Standard,
    /// μPC. The initial weights are those that the initializer draws, times `√n_in`: with a gain of `√3` they
    /// have variance 1. For convolutions `n_in` counts the units that one unit sees.
    ///
    /// # Reference
    /// Innocenti et al. (2025), <https://arxiv.org/abs/2505.13124>
    MuPc,
}

/// The rule for the prediction of a layer `k`, apart from its connection and its biases:
///
/// ```text
/// a_k = c_k (W_k ρ(h_{k−1}) + b_k) [+ h_{k−1}]        f_k = σ_k(a_k)
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rule {
    /// `ρ`, the response with which the layer below is sent.
    pub sent: Activation,
    /// `σ_k`.
    pub response: Activation,
    /// Whether the layer below is added.
    pub is_residual: bool,
    /// `c_k`.
    pub scale: f64,
}

impl Rule {
    /// The rules of a chain of layers, one for each, with identities beside some of its connections.
    pub fn of(chain: &HopfieldEnergyConfig, parametrization: Parametrization) -> Vec<Self> {
        let n_layers = chain.layers.len();
        let (links, identities) = chain.connections.split_at(n_layers);
        // Of layer `k`, counted from the input as 0.
        let is_residual = |to: usize| identities.iter().any(|identity| identity.to == to);
        let holds_drive = |layer: usize| is_residual(layer) || is_residual(layer + 1);
        let activation = |layer: usize| match layer {
            0 => Activation::Identity,
            free => chain.layers[free - 1].activation,
        };
        let rules = links.iter().map(|link| {
            let n_in = fans(link, chain)[0] as f64;
            let scale = match (parametrization, link.from, link.to) {
                (Parametrization::Standard, ..) => 1.0,
                _ if !has_weights(link) => 1.0,
                (_, 0, _) => n_in.sqrt().recip(),
                (_, _, to) if to == n_layers => n_in.recip(),
                (_, _, to) if is_residual(to) => (n_in * n_layers as f64).sqrt().recip(),
                _ => n_in.sqrt().recip(),
            };
            let of = |layer, at| match holds_drive(layer) == at {
                true => activation(layer),
                false => Activation::Identity,
            };
            Self {
                sent: of(link.from, true),
                response: of(link.to, false),
                is_residual: is_residual(link.to),
                scale,
            }
        });
        rules.collect()
    }

    /// Whether the layer below is sent unchanged, and nothing is added: `a_k = W_k h_{k−1} + b_k`.
    pub fn is_plain(&self) -> bool {
        self.sent == Activation::Identity && !self.is_residual && self.scale == 1.0
    }

    /// `a_k`, from the weighted sum with the bias.
    pub fn drive(&self, arrived: Tensor<2>, below: &Tensor<2>) -> Tensor<2> {
        let scaled = self.scaled(arrived);
        match self.is_residual {
            true => scaled + below.clone(),
            false => scaled,
        }
    }

    /// Multiplies by `c_k`.
    pub fn scaled(&self, value: Tensor<2>) -> Tensor<2> {
        match self.scale {
            1.0 => value,
            scale => value * scale,
        }
    }

    /// `(∂a_k/∂h_{k−1})ᵀ error`, from the error and its product with the transposed weights, where
    /// `sent` is `ρ(h_{k−1})`, or `None` for the layer below itself.
    pub fn pull_back(
        &self,
        error: Tensor<2>,
        back: Tensor<2>,
        sent: Option<&Tensor<2>>,
    ) -> Tensor<2> {
        let back = match sent {
            Some(sent) => self.sent.pull_back(sent.clone(), back),
            None => back,
        };
        match self.is_residual {
            true => back + error,
            false => back,
        }
    }
}

/// `chain` with the initial weights of a parametrization: its own, times `√n_in` if they are to have a
/// factor.
pub(super) fn drawn(
    chain: &HopfieldEnergyConfig,
    parametrization: Parametrization,
) -> HopfieldEnergyConfig {
    let mut drawn = chain.clone();
    if parametrization == Parametrization::MuPc {
        for link in drawn
            .connections
            .iter_mut()
            .filter(|link| has_weights(link))
        {
            let [n_in, n_out] = fans(link, chain);
            // Uniform in ±gain/√n_in.
            let gain = link.initializer.bound(n_in, n_out) * n_in as f64;
            link.initializer = InitializerConfig::FanIn { gain };
        }
    }
    drawn
}

fn has_weights(link: &ConnectionConfig) -> bool {
    link.kind != ConnectionKind::Identity
}

/// Fan-in and fan-out of a connection.
fn fans(link: &ConnectionConfig, chain: &HopfieldEnergyConfig) -> [usize; 2] {
    [link.from, link.to].map(|layer| {
        let shape = chain.shape(layer);
        match (link.kind, shape.maps()) {
            (ConnectionKind::Convolution(config), Some([channels, ..])) => {
                channels * config.kernel * config.kernel
            }
            _ => shape.n_units(),
        }
    })
}
