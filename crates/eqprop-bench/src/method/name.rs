//! The methods by name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Generates the enum from one row per method: its name and a short description.
macro_rules! methods {
    ($($method:ident: $name:literal, $about:literal;)+) => {
        /// A method that computes the gradient of a network.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum Method {
            $(
                #[doc = $about]
                $method,
            )+
        }

        impl Method {
            /// All methods.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$method),+];

            /// Returns the name by which it is chosen.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$method => $name,)+
                }
            }

            /// Returns a short description.
            pub fn about(self) -> &'static str {
                match self {
                    $(Self::$method => $about,)+
                }
            }
        }
    };
}

methods! {
    Eqprop: "eqprop",
        "equilibrium propagation, nudged as the preset says";
    Cep: "cep",
        "equilibrium propagation between β and −β (centered)";
    Pep: "pep",
        "equilibrium propagation with β > 0";
    Nep: "nep",
        "equilibrium propagation with β < 0";
    RandomSign: "random-sign",
        "equilibrium propagation with a β of random sign per batch";
    HigherOrder: "higher-order",
        "equilibrium propagation between several pairs of ±β, whose errors cancel";
    Holomorphic: "holomorphic",
        "equilibrium propagation at complex β (sigmoid or tanh networks)";
    Continual: "continual",
        "equilibrium propagation whose weights move at every nudged step (C-EP)";
    Stochastic: "stochastic",
        "equilibrium propagation of a noisy network, by Langevin dynamics";
    Asymmetric: "asymmetric",
        "equilibrium propagation by the transposed Jacobian, for untied weights";
    Dyadic: "dyadic",
        "equilibrium propagation of two coupled copies, for untied weights";
    Homeostasis: "homeostasis",
        "equilibrium propagation that draws untied weights toward symmetry";
    Cl: "cl",
        "contrastive learning: output clamped at the target";
    Pcpl: "pcpl",
        "coupled learning: output clamped a little toward the target";
    Ncpl: "ncpl",
        "coupled learning: output clamped a little away from the target";
    Ccpl: "ccpl",
        "coupled learning between the two (centered)";
    WeightPerturbation: "weight-perturbation",
        "all weights change at random, and the cost tells (SPSA)";
    Bptt: "bptt",
        "backpropagation through the whole free phase";
    Tbp: "tbp",
        "truncated backpropagation from the free equilibrium";
    Rbp: "rbp",
        "recurrent backpropagation (Almeida–Pineda) at the free equilibrium";
    Exact: "exact",
        "exact gradient at the free equilibrium, by a linear solve (small networks)";
    Backprop: "backprop",
        "Burn's own backpropagation in the feedforward twin";
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
