//! One split of a data set, and what is done to all of its images once.

use super::DataError;
use super::change::Change;
use super::inputs::View;
use super::stream::InputStream;
use super::targets::{TargetKind, Targets};

/// One split of a data set: images as rows of numbers, and their classes, or the quantities or labels in their place.
#[derive(Debug, Clone, PartialEq)]
pub struct Examples {
    /// Pixels `[n, channels, height, width]`; scaled to `[0, 1]` as they are loaded. None where they are read as they are
    /// needed, from [`stream`](Self::stream).
    pub inputs: Vec<f32>,
    /// The class of each example, below `n_classes`; none where there are other targets.
    pub labels: Vec<u8>,
    /// Channels, height and width of one example.
    pub shape: [usize; 3],
    /// Number of classes; 0 where there are other targets.
    pub n_classes: usize,
    /// What is to be learned of the examples, if they are not of one class each.
    pub targets: Option<Targets>,
    /// Where inputs are read from that are not in memory.
    pub stream: Option<InputStream>,
}

impl Examples {
    /// Number of examples.
    pub fn len(&self) -> usize {
        match &self.targets {
            None => self.labels.len(),
            Some(targets) => targets.n_examples(),
        }
    }

    /// Whether there is no example.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of outputs that a network for them has: one for each class, quantity or label.
    pub fn n_outputs(&self) -> usize {
        let kind = self.targets.as_ref().map(|targets| &targets.kind);
        kind.map_or(self.n_classes, TargetKind::len)
    }

    /// The quantities of example `i` in their own units; none where it has none.
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

    /// The numbers of the labels that example `i` has, of several at once; none where it has none.
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

    /// Number of inputs of one example: its pixels in all channels.
    pub fn n_inputs(&self) -> usize {
        self.shape.iter().product()
    }

    /// The same with all inputs in memory.
    ///
    /// # Errors
    /// If they are in files and cannot be read.
    pub fn in_memory(mut self) -> Result<Self, DataError> {
        if let Some(stream) = self.stream.take() {
            self.inputs = stream.read(0..stream.len())?;
        }
        Ok(self)
    }

    /// The inputs of example `i`.
    ///
    /// # Panics
    /// If `i` is not below [`len`](Self::len), or inputs are not [in memory](Self::in_memory).
    pub fn input(&self, i: usize) -> &[f32] {
        &self.inputs[i * self.n_inputs()..(i + 1) * self.n_inputs()]
    }

    /// The examples of these indices, in their order.
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

    /// The first `n` examples, or all of them if there are fewer.
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
    /// Made for holding out a validation set without touching the test split.
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

    /// The images with a frame of `n` zeros on each side of every channel: 28×28 pixels become
    /// 32×32 with `n` = 2.
    ///
    /// Made to be called before [`normalized`](Self::normalized): the frame then goes on where the
    /// background is black. The program of Scellier et al. (2023,
    /// <https://arxiv.org/abs/2312.15103>) pads in this order too, and normalizes by the
    /// statistics of the images without a frame: take
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

    /// The same with `change` made to each example, now or when it is read.
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

    /// The first `n` examples to look at, wherever they are.
    pub(super) fn view(&self, n: usize) -> View<'_> {
        View::new(&self.inputs, self.stream.as_ref(), n, self.n_inputs())
    }

    /// Mean and standard deviation of each channel over all pixels of all examples, summed in
    /// `f64`; `n` is the number of these pixels:
    ///
    /// ```text
    /// mean = Σ x / n        deviation = √(Σ (x − mean)² / n)
    /// ```
    ///
    /// Both are 0 where there is no example.
    ///
    /// # Panics
    /// If inputs are not [in memory](Self::in_memory), and cannot be read.
    pub fn channel_statistics(&self) -> (Vec<f32>, Vec<f32>) {
        let found = self.statistics_of(self.len());
        found.unwrap_or_else(|error| panic!("{error}"))
    }

    /// [`channel_statistics`](Self::channel_statistics) of the first `n` examples.
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

    /// Each channel shifted by its mean and divided by its deviation:
    ///
    /// ```text
    /// x ← (x − mean) / deviation
    /// ```
    ///
    /// The [`channel_statistics`](Self::channel_statistics) of the training examples serve for the
    /// test examples too. A channel whose deviation is 0 has one value only: it is shifted and not
    /// divided.
    ///
    /// # Panics
    /// If there is not one mean and one deviation per channel, or a deviation is negative or not
    /// finite.
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
