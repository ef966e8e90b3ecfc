//! One split of a data set, and the transformations of all its images.

use super::DataError;
use super::change::Change;
use super::inputs::View;
use super::stream::InputStream;
use super::targets::{TargetKind, Targets};

/// One split of a data set: images as rows of numbers, and their classes, quantities or labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Examples {
    /// Pixels `[n, channels, height, width]`, scaled to `[0, 1]` when loaded. Empty if they are read on
    /// demand from [`stream`](Self::stream).
    pub inputs: Vec<f32>,
    /// Class of each example, below `n_classes`; empty for other targets.
    pub labels: Vec<u8>,
    /// Channels, height and width of one example.
    pub shape: [usize; 3],
    /// Number of classes; 0 for other targets.
    pub n_classes: usize,
    /// Quantities or labels to learn, if the targets are not classes.
    pub targets: Option<Targets>,
    /// Source of the inputs that are not in memory.
    pub stream: Option<InputStream>,
}

impl Examples {
    /// Returns the number of examples.
    pub fn len(&self) -> usize {
        match &self.targets {
            None => self.labels.len(),
            Some(targets) => targets.n_examples(),
        }
    }

    /// Returns whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of outputs of a network for these examples: one for each class, quantity or label.
    pub fn n_outputs(&self) -> usize {
        let kind = self.targets.as_ref().map(|targets| &targets.kind);
        kind.map_or(self.n_classes, TargetKind::len)
    }

    /// Returns the quantities of example `i` in their own units; empty if there are none.
    ///
    /// # Panics
    /// If `i` is not below [`len`](Self::len).
    pub fn quantities(&self, i: usize) -> Vec<f64> {
        let Some(targets) = &self.targets else {
            return Vec::new();
        };
        let row = targets.row(i).iter().enumerate();
        let quantities = targets.kind.quantities();
        quantities.map_or(Vec::new(), |quantities| {
            row.map(|(quantity, &value)| quantities.value(quantity, value.into()))
                .collect()
        })
    }

    /// Returns the indices of the labels of example `i`, in multi-label data; empty if it has none.
    ///
    /// # Panics
    /// If `i` is not below [`len`](Self::len).
    pub fn label_set(&self, i: usize) -> Vec<usize> {
        let targets = self.targets.as_ref();
        let Some(targets) = targets.filter(|targets| targets.kind.labels().is_some()) else {
            return Vec::new();
        };
        let row = targets.row(i).iter().enumerate();
        row.filter(|(_, value)| TargetKind::has_label(f64::from(**value)))
            .map(|(label, _)| label)
            .collect()
    }

    /// Returns the number of inputs of one example: its pixels in all channels.
    pub fn n_inputs(&self) -> usize {
        self.shape.iter().product()
    }

    /// Reads all inputs into memory.
    ///
    /// # Errors
    /// If the inputs are in files and cannot be read.
    pub fn in_memory(mut self) -> Result<Self, DataError> {
        if let Some(stream) = self.stream.take() {
            self.inputs = stream.read(0..stream.len())?;
        }
        Ok(self)
    }

    /// Returns the inputs of example `i`.
    ///
    /// # Panics
    /// If `i` is not below [`len`](Self::len), or the inputs are not [in memory](Self::in_memory).
    pub fn input(&self, i: usize) -> &[f32] {
        &self.inputs[i * self.n_inputs()..(i + 1) * self.n_inputs()]
    }

    /// Returns the examples at these indices, in this order.
    ///
    /// # Panics
    /// If an index is not below [`len`](Self::len).
    pub fn in_order(&self, indices: &[usize]) -> Self {
        let targets = self.targets.as_ref().map(|targets| {
            let rows = indices.iter().flat_map(|&index| targets.row(index));
            targets.with_values(rows.copied().collect())
        });
        let stream = self.stream.as_ref();
        let in_memory = match stream {
            None => indices,
            Some(_) => &[],
        };
        let inputs = in_memory.iter().flat_map(|&index| self.input(index));
        let labels = match targets {
            None => indices.iter().map(|&index| self.labels[index]).collect(),
            Some(_) => Vec::new(),
        };
        Self {
            inputs: inputs.copied().collect(),
            stream: stream.map(|stream| stream.select(indices)),
            labels,
            targets,
            ..*self
        }
    }

    /// Returns the first `n` examples, or all of them if there are fewer.
    pub fn take(mut self, n: usize) -> Self {
        let n = n.min(self.len());
        self.inputs.truncate(n * self.n_inputs());
        self.stream = self.stream.map(|stream| stream.slice(0..n));
        self.labels.truncate(n);
        if let Some(targets) = &mut self.targets {
            targets.values.truncate(n * targets.kind.len());
        }
        self
    }

    /// Splits off the last `n` examples, or all of them if there are fewer: `(rest, last n)`.
    ///
    /// Holds out a validation set without touching the test split.
    pub fn split_tail(mut self, n: usize) -> (Self, Self) {
        let (n_all, n_inputs) = (self.len(), self.n_inputs());
        let n_rest = n_all.saturating_sub(n);
        let stream = self.stream.take();
        self.stream = stream.as_ref().map(|stream| stream.slice(0..n_rest));
        let inputs = match stream {
            None => self.inputs.split_off(n_rest * n_inputs),
            Some(_) => Vec::new(),
        };
        let targets = self.targets.as_mut().map(|targets| {
            let values = targets.values.split_off(n_rest * targets.kind.len());
            targets.with_values(values)
        });
        let tail = Self {
            inputs,
            stream: stream.map(|stream| stream.slice(n_rest..n_all)),
            labels: match targets {
                None => self.labels.split_off(n_rest),
                Some(_) => Vec::new(),
            },
            targets,
            ..self
        };
        (self, tail)
    }

    /// Pads the images by `n` zeros on each side of every channel: 28×28 pixels become 32×32 with `n` = 2.
    ///
    /// Call it before [`normalized`](Self::normalized): the padding then continues a black background. The
    /// program of Scellier et al. (2023, <https://arxiv.org/abs/2312.15103>) pads in this order too, and
    /// normalizes by the statistics of the images without padding: take
    /// [`channel_statistics`](Self::channel_statistics) first to do the same.
    pub fn padded(self, n: usize) -> Self {
        let [channels, height, width] = self.shape;
        let shape = self.shape;
        let padded = self.changed(Change::Pad { n, shape });
        Self {
            shape: [channels, height + 2 * n, width + 2 * n],
            ..padded
        }
    }

    /// Applies `change` to each example, now or when it is read.
    fn changed(self, change: Change) -> Self {
        match self.stream {
            None => Self {
                inputs: change.apply(self.inputs),
                ..self
            },
            Some(stream) => Self {
                stream: Some(stream.changed(change)),
                ..self
            },
        }
    }

    /// Returns a view of the first `n` examples, in memory or in files.
    pub(super) fn view(&self, n: usize) -> View<'_> {
        View::new(&self.inputs, self.stream.as_ref(), n, self.n_inputs())
    }

    /// Computes the mean and standard deviation of each channel over all pixels of all examples, summed in
    /// `f64`; `n` is the number of these pixels:
    ///
    /// ```text
    /// mean = Σ x / n        deviation = √(Σ (x − mean)² / n)
    /// ```
    ///
    /// Both are 0 if there are no examples.
    ///
    /// # Panics
    /// If the inputs are not [in memory](Self::in_memory) and cannot be read.
    pub fn channel_statistics(&self) -> (Vec<f32>, Vec<f32>) {
        let found = self.statistics_of(self.len());
        found.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Computes the [`channel_statistics`](Self::channel_statistics) of the first `n` examples.
    pub(super) fn statistics_of(&self, n: usize) -> Result<(Vec<f32>, Vec<f32>), DataError> {
        let [channels, height, width] = self.shape;
        let n_pixels = (n * height * width).max(1) as f64;
        let examples = self.view(n);
        let mean_of = |term: &dyn Fn(usize, &[f32]) -> f64| {
            let mut sums = vec![0.0; channels];
            examples.visit(|inputs| {
                let planes = inputs.chunks_exact(height * width);
                for (plane, channel) in planes.zip((0..channels).cycle()) {
                    sums[channel] += term(channel, plane);
                }
            })?;
            let means = sums.into_iter().map(|sum: f64| sum / n_pixels);
            Ok::<Vec<f64>, DataError>(means.collect())
        };
        let mean = mean_of(&|_, plane| plane.iter().map(|&x| f64::from(x)).sum())?;
        let variance = mean_of(&|channel, plane| {
            let square = |&x: &f32| (f64::from(x) - mean[channel]).powi(2);
            plane.iter().map(square).sum()
        })?;
        let deviation = variance.iter().map(|variance| variance.sqrt() as f32);
        let deviation = deviation.collect();
        let mean = mean.iter().map(|&mean| mean as f32);
        Ok((mean.collect(), deviation))
    }

    /// Subtracts its mean from each channel and divides by its standard deviation:
    ///
    /// ```text
    /// x ← (x − mean) / deviation
    /// ```
    ///
    /// The [`channel_statistics`](Self::channel_statistics) of the training examples serve for the test
    /// examples too. A channel whose standard deviation is 0 is constant: it is shifted but not divided.
    ///
    /// # Panics
    /// If there is not one mean and one standard deviation per channel, or a standard deviation is negative
    /// or not finite.
    pub fn normalized(self, mean: &[f32], deviation: &[f32]) -> Self {
        let [channels, ..] = self.shape;
        assert_eq!(
            (mean.len(), deviation.len()),
            (channels, channels),
            "one mean and one deviation are needed for each of {channels} channels"
        );
        let is_valid = |&deviation: &f32| deviation.is_finite() && deviation >= 0.0;
        assert!(
            deviation.iter().all(is_valid),
            "deviations must be finite and at least 0, but are {deviation:?}"
        );
        let change = Change::Normalize {
            mean: mean.to_vec(),
            deviation: deviation.to_vec(),
            shape: self.shape,
        };
        self.changed(change)
    }
}
