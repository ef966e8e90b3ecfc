//! Equilibria to the last digit.

use eqprop_core::cost::Cost;
use eqprop_core::energy::{TotalEnergy, VectorField};
use eqprop_core::relaxation::{Relaxation, Relaxed, Scheme};
use eqprop_core::state::State;

use crate::setup::Setup;

/// Relaxes until no step changes anything that the number format resolves.
pub fn equilibrium<E: VectorField, C: Cost>(
    total: &TotalEnergy<'_, E, C>,
    start: State,
    scheme: Scheme,
    setup: &Setup,
) -> State {
    equilibrium_within(2000, total, start, scheme, setup).state
}

/// Computes an [`equilibrium`] of a network that may take more steps, and how it was reached.
pub fn equilibrium_within<E: VectorField, C: Cost>(
    max_steps: usize,
    total: &TotalEnergy<'_, E, C>,
    start: State,
    scheme: Scheme,
    setup: &Setup,
) -> Relaxed {
    let relaxation = Relaxation::steps(scheme, max_steps).with_tolerance(1e-13);
    let relaxed = relaxation.relax(total, start);
    // In f32 the last digit may go back and forth, magnified by the inverse step size.
    let residual = relaxed.info().residual;
    let limit = setup.tolerance.max(1e-12);
    assert!(
        residual <= limit,
        "{}, {scheme:?}: residual {residual:e}",
        setup.name
    );
    relaxed
}
