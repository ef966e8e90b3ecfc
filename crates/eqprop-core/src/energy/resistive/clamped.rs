//! A resistive network with its input clamped.

use burn::tensor::Tensor;

use crate::energy::graph::ClampedGraph;

/// A resistive network with its input clamped.
#[derive(Debug, Clone)]
pub struct ClampedResistive {
    /// The resistors between free layers, divided by the curvature of the layer that they drive; its
    /// input is the voltages of the sources, `[batch, 2 n_inputs]`.
    pub graph: ClampedGraph,
    /// The conductances between the sources and the first layer.
    pub input: Tensor<2>,
    /// The curvature of each free layer, `[1, n_units]`.
    pub curvature: Vec<Tensor<2>>,
}
