//! Shared code of the integration tests: small networks with reproducible random numbers, their
//! parameters and gradients as lists of numbers, comparisons of lists, the numbers of
//! `tests/reference`, and short trainings on the bundled digits.
//!
//! For integration tests only: a unit test of a crate has its own, different types.

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
