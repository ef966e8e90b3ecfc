//! Choice of the scaling, and its fit to the training part.

use super::super::DataError;
use super::super::inputs::View;
use super::scaling::{MAX_BYTE, Numbers, Scaling, ScalingKind};

/// Least maximum from which whole numbers are taken for the bytes of pixels.
const BRIGHT: f32 = 128.0;

/// Returns the default scaling; see [`Scaling`].
pub(super) fn usual(
    numbers: Numbers,
    inputs: &View,
    is_square: bool,
) -> Result<ScalingKind, DataError> {
    let are_bytes = || {
        let is_byte = |x: f32| x.fract() == 0.0 && (0.0..=MAX_BYTE).contains(&x);
        Ok::<_, DataError>(inputs.all(is_byte)? && !inputs.all(|x| x < BRIGHT)?)
    };
    Ok(match numbers {
        Numbers::Pixels => ScalingKind::None,
        Numbers::Bytes => ScalingKind::Bytes,
        Numbers::Array if inputs.all(|x| (0.0..=1.0).contains(&x))? => ScalingKind::None,
        Numbers::Array if are_bytes()? => ScalingKind::Bytes,
        Numbers::Array => ScalingKind::Range,
        Numbers::Table if is_square && are_bytes()? => ScalingKind::Bytes,
        Numbers::Table => ScalingKind::Standard,
    })
}

/// Returns the scaling of a kind, fitted to the training part.
pub(super) fn scaling(kind: ScalingKind, train: &View) -> Result<Scaling, DataError> {
    Ok(match kind {
        ScalingKind::None => Scaling::None,
        ScalingKind::Bytes => Scaling::Bytes,
        ScalingKind::Range => {
            let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
            train.visit(|inputs| {
                low = inputs.iter().copied().fold(low, f32::min);
                high = inputs.iter().copied().fold(high, f32::max);
            })?;
            Scaling::Range { low, high }
        }
        ScalingKind::Standard => {
            let (mean, deviation) = column_statistics(train)?;
            Scaling::Standard { mean, deviation }
        }
    })
}

/// Returns the mean and standard deviation of each column, summed in `f64`.
fn column_statistics(train: &View) -> Result<(Vec<f32>, Vec<f32>), DataError> {
    let n_columns = train.n_inputs;
    let n = train.len().max(1) as f64;
    let mut mean = vec![0.0; n_columns];
    train.visit(|inputs| {
        for example in inputs.chunks_exact(n_columns) {
            for (mean, &x) in mean.iter_mut().zip(example) {
                *mean += f64::from(x) / n;
            }
        }
    })?;
    let mut variance = vec![0.0; n_columns];
    let mut is_constant = vec![true; n_columns];
    let mut first: Option<Vec<f32>> = None;
    train.visit(|inputs| {
        for example in inputs.chunks_exact(n_columns) {
            let first = first.get_or_insert_with(|| example.to_vec());
            for (column, &x) in example.iter().enumerate() {
                variance[column] += (f64::from(x) - mean[column]).powi(2) / n;
                is_constant[column] &= x == first[column];
            }
        }
    })?;
    // The deviation of a constant is a rounding error.
    let deviation = variance.iter().zip(is_constant);
    let deviation = deviation.map(|(variance, is_constant)| match is_constant {
        true => 0.0,
        false => variance.sqrt() as f32,
    });
    let deviation = deviation.collect();
    let mean = mean.into_iter().map(|mean| mean as f32);
    Ok((mean.collect(), deviation))
}
