//! Products with the transposed Jacobian of the drives, for fields without a closed form of it.

use burn::tensor::Tensor;
use eqprop_core::energy::VectorField;
use eqprop_core::pullback::backward;
use eqprop_core::state::State;

/// Vector–Jacobian product of the drives of all layers with respect to layer `layer` at `state`, by Burn's
/// autodiff:
///
/// ```text
/// a_k⁻¹ Σ_j (∂drive_j/∂s_k)ᵀ a_j v_j
/// ```
///
/// with the curvatures `a`, which are 1 unless the field defines others.
///
/// # Shapes
/// - output: `[batch, n_units]`
pub(super) fn pull_back<E: VectorField>(
    field: &E,
    layer: usize,
    clamped: &E::Clamped,
    state: &State,
    vector: &State,
) -> Tensor<2> {
    let leaf = state.layer(layer).clone().autodiff().require_grad();
    let mut at = state.clone();
    at.set(layer, leaf.clone());
    let vectors = vector.layers().iter().enumerate();
    let terms = vectors.map(|(from, vector)| {
        let vector = match field.curvature(from) {
            Some(curvature) => vector.clone() * curvature,
            None => vector.clone(),
        };
        (field.drive(from, clamped, &at) * vector).sum()
    });
    let product = terms.reduce(|sum, term| sum + term);
    let product = product.expect("a state has at least one layer");
    // Without a connection between free layers nothing depends on the state.
    let slopes = product.is_tracked().then(|| backward(&product));
    let slope = slopes.and_then(|slopes| leaf.grad(&slopes));
    let slope = slope.unwrap_or_else(|| state.layer(layer).zeros_like());
    match field.curvature(layer) {
        Some(curvature) => slope / curvature,
        None => slope,
    }
}
