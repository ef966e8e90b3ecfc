//! Slopes by finite differences.

use burn::module::Module;
use eqprop_core::state::State;

use crate::list::Lists;
use crate::parameter::{filled, parameters};
use crate::setup::Setup;

/// Computes `∂f/∂θ` of every parameter by central differences of size `epsilon`, in `f64`.
pub fn parameter_differences<M: Module>(module: &M, epsilon: f64, f: impl Fn(&M) -> f64) -> Lists {
    let setup = Setup::double();
    let parameters = parameters(module);
    let moved = |list: usize, entry: usize, by: f64| {
        let mut lists = parameters.clone();
        lists[list][entry] += by;
        let mut lists = lists.into_iter();
        f(&filled(module.clone(), &setup, |_| {
            lists.next().expect("one list per parameter")
        }))
    };
    let slope = |list, entry| {
        (moved(list, entry, epsilon) - moved(list, entry, -epsilon)) / (2.0 * epsilon)
    };
    let lists = parameters.iter().enumerate();
    lists
        .map(|(list, numbers)| (0..numbers.len()).map(|entry| slope(list, entry)).collect())
        .collect()
}

/// Computes [`parameter_differences`] with steps ε and 2ε, so that the error of order ε² cancels: 1e-10
/// of ε⁴ and of rounding, if higher derivatives are of order 1.
pub fn fourth_order_differences<M: Module>(module: &M, f: impl Fn(&M) -> f64) -> Lists {
    const EPSILON: f64 = 1e-3;
    let [fine, coarse] =
        [EPSILON, 2.0 * EPSILON].map(|epsilon| parameter_differences(module, epsilon, &f));
    let lists = fine.iter().zip(&coarse).map(|(fine, coarse)| {
        let pairs = fine.iter().zip(coarse);
        pairs
            .map(|(fine, coarse)| (4.0 * fine - coarse) / 3.0)
            .collect()
    });
    lists.collect()
}

/// Returns `state` with one unit of `layer` moved in every example, in `f64`.
pub fn moved(state: &State, layer: usize, unit: usize, by: f64) -> State {
    let n_units = state.layer(layer).dims()[1];
    let mut step = vec![0.0; n_units];
    step[unit] = by;
    let step = Setup::double().tensor(step, [1, n_units]);
    let mut moved = state.clone();
    moved.set(layer, state.layer(layer).clone() + step);
    moved
}
