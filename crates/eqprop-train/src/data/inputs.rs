//! Unprocessed inputs of examples, in memory or in their files.

use std::ops::ControlFlow;

use super::DataError;
use super::change::Change;
use super::stream::InputStream;

/// Inputs of some examples.
#[derive(Debug, Clone)]
pub(super) enum Inputs {
    /// Inputs in memory, example by example.
    Values(Vec<f32>),
    /// Inputs to read from files.
    Stream(InputStream),
}

impl Default for Inputs {
    fn default() -> Self {
        Self::Values(Vec::new())
    }
}

impl From<Vec<f32>> for Inputs {
    fn from(values: Vec<f32>) -> Self {
        Self::Values(values)
    }
}

impl From<InputStream> for Inputs {
    fn from(stream: InputStream) -> Self {
        Self::Stream(stream)
    }
}

impl Inputs {
    /// Returns the inputs in memory, and the source of the others.
    pub fn into_parts(self) -> (Vec<f32>, Option<InputStream>) {
        match self {
            Self::Values(values) => (values, None),
            Self::Stream(stream) => (Vec::new(), Some(stream)),
        }
    }

    /// Returns a view of the first `n` examples, of `n_inputs` each.
    pub fn view(&self, n: usize, n_inputs: usize) -> View<'_> {
        match self {
            Self::Values(values) => View::new(values, None, n, n_inputs),
            Self::Stream(stream) => View::new(&[], Some(stream), n, n_inputs),
        }
    }

    /// Returns the examples at these indices, in this order.
    pub fn select(&self, n_inputs: usize, indices: &[usize]) -> Self {
        match self {
            Self::Values(values) => {
                let of = |&index: &usize| &values[index * n_inputs..][..n_inputs];
                let mut selected = Vec::with_capacity(indices.len() * n_inputs);
                for index in indices {
                    selected.extend_from_slice(of(index));
                }
                Self::Values(selected)
            }
            Self::Stream(stream) => Self::Stream(stream.select(indices)),
        }
    }

    /// Appends `others`; `None` if both are in files and their layouts differ.
    ///
    /// # Panics
    /// If one is in memory and the other is not.
    pub fn joined(self, others: Self) -> Option<Self> {
        match (self, others) {
            (Self::Values(mut values), Self::Values(others)) => {
                values.extend(others);
                Some(Self::Values(values))
            }
            (Self::Stream(stream), Self::Stream(others)) => {
                InputStream::joined(vec![stream, others]).map(Self::Stream)
            }
            _ => unreachable!("all parts of a data set are read in one way"),
        }
    }

    /// Applies `change` to each example.
    pub fn changed(self, change: Change) -> Self {
        match self {
            Self::Values(values) => Self::Values(change.apply(values)),
            Self::Stream(stream) => Self::Stream(stream.changed(change)),
        }
    }
}

/// A sequential view of inputs in memory or in files.
pub(super) struct View<'a> {
    values: &'a [f32],
    stream: Option<&'a InputStream>,
    n: usize,
    /// Number of inputs of an example.
    pub n_inputs: usize,
}

impl<'a> View<'a> {
    /// Creates a view of the first `n` examples.
    pub fn new(
        values: &'a [f32],
        stream: Option<&'a InputStream>,
        n: usize,
        n_inputs: usize,
    ) -> Self {
        Self {
            values: match stream {
                None => values.get(..n * n_inputs).unwrap_or(values),
                Some(_) => values,
            },
            stream,
            n,
            n_inputs,
        }
    }

    /// Returns the number of examples.
    pub fn len(&self) -> usize {
        self.n
    }

    /// Passes all examples to `look` in order, a block at a time.
    pub fn visit(&self, mut look: impl FnMut(&[f32])) -> Result<(), DataError> {
        self.try_visit(|inputs| {
            look(inputs);
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Like `visit`, until `look` breaks or fails.
    pub fn try_visit(
        &self,
        mut look: impl FnMut(&[f32]) -> Result<ControlFlow<()>, DataError>,
    ) -> Result<(), DataError> {
        match self.stream {
            None => look(self.values).map(|_| ()),
            Some(stream) => stream.visit(self.n, look),
        }
    }

    /// Returns whether `is` holds for all inputs.
    pub fn all(&self, is: impl Fn(f32) -> bool) -> Result<bool, DataError> {
        let mut all = true;
        self.try_visit(|inputs| {
            all = inputs.iter().all(|&x| is(x));
            Ok(match all {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            })
        })?;
        Ok(all)
    }
}
