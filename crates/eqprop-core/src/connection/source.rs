//! The source of new weights.

use burn::module::Param;
use burn::tensor::{Shape, Tensor, TensorData};

use super::config::InitializerConfig;

/// A source of values for new weights.
pub trait WeightSource {
    /// Draws values of this shape, uniform in `±bound`.
    fn draw(&mut self, shape: Shape, bound: f64) -> TensorData;

    /// Returns a separate source, for weights that only some networks have: neither source affects the
    /// values that the other one draws.
    fn aside(&self) -> Box<dyn WeightSource>;
}

/// Draws new values for `weight`, which has fan-in `n_in` and fan-out `n_out`.
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
