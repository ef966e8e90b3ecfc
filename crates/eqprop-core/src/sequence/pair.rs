//! Two states that are close to each other.

use burn::tensor::Tensor;

/// Two batches of states that are close to each other, `first` and `second`, as their mean and half their
/// difference:
///
/// ```text
/// first = mean + half difference        second = mean − half difference
/// ```
///
/// Linear functions act on mean and half difference alike, so these are the rows of one tensor. In this form
/// a difference that is smaller than the rounding of the states keeps all of its digits.
///
/// # Shapes
/// Each of the two `[batch, n]`, the [rows](Self::rows) `[2 · batch, n]`
#[derive(Debug, Clone)]
pub struct Pair(Tensor<2>);

impl Pair {
    /// Creates a pair from the mean and half the difference.
    pub fn new(mean: Tensor<2>, half_difference: Tensor<2>) -> Self {
        Self(Tensor::cat(vec![mean, half_difference], 0))
    }

    /// Creates a pair from the rows of the mean, followed by those of half the difference.
    ///
    /// # Panics
    /// If their number is odd.
    pub fn from_rows(rows: Tensor<2>) -> Self {
        let n_rows = rows.dims()[0];
        assert!(
            n_rows.is_multiple_of(2),
            "a pair has as many rows of half differences as of means, but {n_rows} rows in all"
        );
        Self(rows)
    }

    /// Returns the rows of the mean, followed by those of half the difference.
    pub fn rows(&self) -> &Tensor<2> {
        &self.0
    }

    /// Returns the mean.
    pub fn mean(&self) -> Tensor<2> {
        self.0.clone().narrow(0, 0, self.batch_size())
    }

    /// Returns half the difference.
    pub fn half_difference(&self) -> Tensor<2> {
        let batch = self.batch_size();
        self.0.clone().narrow(0, batch, batch)
    }

    /// Returns the first of the two states.
    pub fn first(&self) -> Tensor<2> {
        self.mean() + self.half_difference()
    }

    /// Returns the second of the two states.
    pub fn second(&self) -> Tensor<2> {
        self.mean() - self.half_difference()
    }

    /// Applies `f` to each of the two states. The difference of the results loses digits to rounding: a
    /// closed form, where there is one, keeps more of them.
    pub fn map(&self, f: impl Fn(Tensor<2>) -> Tensor<2>) -> Self {
        let (first, second) = (f(self.first()), f(self.second()));
        let mean = (first.clone() + second.clone()) * 0.5;
        Self::new(mean, (first - second) * 0.5)
    }

    /// Returns the number of examples in each of the two states.
    pub fn batch_size(&self) -> usize {
        self.0.dims()[0] / 2
    }
}
