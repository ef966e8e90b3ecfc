//! Shared code of the integration tests: small networks with reproducible random numbers, their
//! parameters and gradients as lists of numbers, comparisons of lists, the numbers of
//! `tests/reference`, and short trainings on the bundled digits.
//!
//! For integration tests only: a unit test of a crate has its own, different types. The code of the README
//! and the guide runs here too: the packages of the published crates do not contain them.

mod equilibrium;
mod function;
mod gradient;
mod graph;
mod list;
mod network;
mod parameter;
mod random;
mod reference;
mod setup;
mod slope;
mod training;

pub use equilibrium::{equilibrium, equilibrium_within};
pub use function::{Function, custom};
pub use gradient::{gradients_in, gradients_of};
pub use graph::Graph;
pub use list::{
    Lists, assert_agrees, assert_close, cosine, distance, flat, largest, norm, order_of,
    relative_error, residual, values,
};
pub use network::{
    ACTIVATIONS, COSTS, HopfieldNetwork, Network, chain, connection, cost, graph, joined, network,
};
pub use parameter::{filled, filled_with, group_of, ids, named_parameters, parameters};
pub use random::{Numbers, sines};
pub use reference::{Array, ByName, Chain, Equilibrium, Reference, published, read_reference};
pub use setup::Setup;
pub use slope::{fourth_order_differences, moved, parameter_differences};
pub use training::{batch, config, digits, explained, loader, run, training, with};

/// Compiles and runs the code of the README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// Compiles and runs the code of the guide.
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../../../docs/src/ten-minutes.md")]
    struct TenMinutes;

    #[doc = include_str!("../../../docs/src/estimators.md")]
    struct Estimators;

    #[doc = include_str!("../../../docs/src/sequences.md")]
    struct Sequences;

    #[doc = include_str!("../../../docs/src/energy.md")]
    struct Energy;

    #[doc = include_str!("../../../docs/src/block.md")]
    struct Block;
}
