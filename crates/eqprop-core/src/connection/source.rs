//! Where new weights come from.

use burn::module::Param;
use burn::tensor::{Shape, Tensor, TensorData};

use super::config::InitializerConfig;

/// Draws the values of new weights.
pub trait WeightSource {
    /// Values of this shape, uniform in `±bound`.
    fn draw(&mut self, shape: Shape, bound: f64) -> TensorData;

    /// A source of its own, for weights that only some networks have: what this one draws does not
    /// depend on what that one does.
    fn aside(&self) -> Box<dyn WeightSource>;
}

/// Gives `weight` new values; each of its units is driven by `n_in` units, and `n_out` are by each
/// of those.
pub fn redraw<const D: usize>(
    weight: &mut Param<Tensor<D>>,
    initializer: InitializerConfig,
    [n_in, n_out]: [usize; 2],
    source: &mut dyn WeightSource,
) {
    let values = source.draw(weight.val().shape(), initializer.bound(n_in, n_out));
    *weight = weight
        .clone()
        .map(|old| Tensor::from_data(values, &old.device()));
}
