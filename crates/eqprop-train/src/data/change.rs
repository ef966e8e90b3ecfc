//! Transformations of the inputs between the files and the network, example by example.

use std::sync::Arc;

use super::files::Scaling;

/// A transformation of the inputs of any examples.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// Scaling of user files, for examples with `n_inputs` inputs.
    Scale { scaling: Scaling, n_inputs: usize },
    /// Selection of the inputs at these indices of an example, which had `n_inputs`.
    Arrange {
        places: Arc<Vec<usize>>,
        n_inputs: usize,
    },
    /// Padding by `n` zeros on each side of every channel.
    Pad { n: usize, shape: [usize; 3] },
    /// Subtraction of each channel's mean and division by its standard deviation, unless that is 0.
    Normalize {
        mean: Vec<f32>,
        deviation: Vec<f32>,
        shape: [usize; 3],
    },
}

impl Change {
    /// Returns the number of inputs of an example that had `n` before.
    pub fn n_inputs(&self, n: usize) -> usize {
        match self {
            Self::Pad {
                n,
                shape: [channels, height, width],
            } => channels * (height + 2 * n) * (width + 2 * n),
            Self::Arrange { places, .. } => places.len(),
            Self::Scale { .. } | Self::Normalize { .. } => n,
        }
    }

    /// Transforms any number of examples.
    pub fn apply(&self, mut inputs: Vec<f32>) -> Vec<f32> {
        match self {
            Self::Scale { scaling, n_inputs } => scaling.apply(&mut inputs, *n_inputs),
            Self::Arrange { places, n_inputs } => return arranged(&inputs, places, *n_inputs),
            Self::Pad { n, shape } => return padded(&inputs, *shape, *n),
            Self::Normalize {
                mean,
                deviation,
                shape,
            } => normalize(&mut inputs, *shape, mean, deviation),
        }
        inputs
    }
}

fn arranged(inputs: &[f32], places: &[usize], n_inputs: usize) -> Vec<f32> {
    let mut arranged = Vec::with_capacity(inputs.len() / n_inputs * places.len());
    for example in inputs.chunks_exact(n_inputs) {
        arranged.extend(places.iter().map(|&place| example[place]));
    }
    arranged
}

fn padded(inputs: &[f32], [_, height, width]: [usize; 3], n: usize) -> Vec<f32> {
    let width_padded = width + 2 * n;
    let n_channels = inputs.len() / (height * width).max(1);
    let mut padded = Vec::with_capacity(n_channels * (height + 2 * n) * width_padded);
    for channel in inputs.chunks_exact(height * width) {
        padded.resize(padded.len() + n * width_padded, 0.0);
        for row in channel.chunks_exact(width) {
            padded.resize(padded.len() + n, 0.0);
            padded.extend_from_slice(row);
            padded.resize(padded.len() + n, 0.0);
        }
        padded.resize(padded.len() + n * width_padded, 0.0);
    }
    padded
}

fn normalize(
    inputs: &mut [f32],
    [channels, height, width]: [usize; 3],
    mean: &[f32],
    deviation: &[f32],
) {
    let planes = inputs.chunks_exact_mut(height * width);
    for (plane, channel) in planes.zip((0..channels).cycle()) {
        let divisor = match deviation[channel] {
            0.0 => 1.0,
            deviation => deviation,
        };
        for x in plane {
            *x = (*x - mean[channel]) / divisor;
        }
    }
}
