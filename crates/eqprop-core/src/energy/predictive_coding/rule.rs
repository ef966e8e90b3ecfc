//! How a layer is predicted from the one below.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::activation::Activation;
use crate::connection::{ConnectionConfig, ConnectionKind, InitializerConfig};
use crate::energy::hopfield::HopfieldEnergyConfig;

/// How the weights of a [`PredictiveCoding`](super::PredictiveCoding) network count: the factors `c_k`
/// before what they send, in a network of `L` layers without the input.
///
/// | | first layer, `D` inputs | hidden layer, `N` units below | output |
/// | --- | --- | --- | --- |
/// | `Standard` | 1 | 1 | 1 |
/// | `MuPc` | `1/√D` | `1/√N`, with an identity beside it `1/√(N L)` | `1/N` |
///
/// With plain gradient descent and these factors one learning rate, in proportion to the width, suits each depth. They stay in
/// the network. With plain gradient descent it is the same as initial weights times `c_k` and a learning
/// rate times `c_k²`; with weight decay, clipped gradients or an adaptive optimizer it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parametrization {
    /// No factors.
    #[default]
    Standard,
    /// μPC. Weights begin with those that the initializer draws, times `√n_in`: with a gain of `√3` they have the
    /// variance 1. Convolutions count the units that one unit sees.
    ///
    /// # Reference
    /// Innocenti et al. (2025), <https://arxiv.org/abs/2505.13124>
    MuPc,
}

/// What makes a prediction of a layer `k`, beside its connection and its biases:
///
/// ```text
/// a_k = c_k (W_k ρ(h_{k−1}) + b_k) [+ h_{k−1}]        f_k = σ_k(a_k)
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rule {
    /// `ρ`, with which the layer below is sent.
    pub sent: Activation,
    /// `σ_k`.
    pub response: Activation,
    /// Whether the layer below is added.
    pub is_residual: bool,
    /// `c_k`.
    pub scale: f64,
}

impl Rule {
    /// Those of a chain of layers, one for each, with identities beside some of its connections.
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

    /// Whether the layer below is sent as it is, and nothing is added: `a_k = W_k h_{k−1} + b_k`.
    pub fn is_plain(&self) -> bool {
        self.sent == Activation::Identity && !self.is_residual && self.scale == 1.0
    }

    /// `a_k`, of what has arrived through the weights, with the bias.
    pub fn drive(&self, arrived: Tensor<2>, below: &Tensor<2>) -> Tensor<2> {
        let scaled = self.scaled(arrived);
        match self.is_residual {
            true => scaled + below.clone(),
            false => scaled,
        }
    }

    /// Times `c_k`.
    pub fn scaled(&self, value: Tensor<2>) -> Tensor<2> {
        match self.scale {
            1.0 => value,
            scale => value * scale,
        }
    }

    /// `(∂a_k/∂h_{k−1})ᵀ error`, of the error and what has come back of it through the weights, where
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

/// `chain` with the initial weights that a parametrization has: those of its own, times `√n_in` where they are
/// to have a factor.
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

/// The units that drive one, and those that one drives.
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
