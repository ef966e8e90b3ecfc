//! Comparison of closed forms with autodiff.

use burn::tensor::{DType, Tensor};

use super::function::EnergyFunction;
use super::{CustomEnergy, slopes};
use crate::energy::field::{VectorField, input_slopes};
use crate::parameters::{flat, parameters_with};
use crate::relaxed::largest;
use crate::state::State;

/// A closed form of an [`EnergyFunction`], and its deviation from autodiff.
#[derive(Debug, Clone, PartialEq)]
pub struct ClosedForm {
    /// The computed quantity, such as `the drive of layer 1` or `the contrast of weight`. Layers are
    /// counted from the input as 0; parameters are named by the paths of the function's fields.
    pub what: String,
    /// The largest deviation of an entry, relative to the largest entry that autodiff found; NaN if
    /// either is NaN.
    pub error: f64,
}

/// A closed form that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ClosedFormError {
    /// The closed form is not the derivative of the energy.
    #[error(
        "{} in closed form is not the derivative of the energy: off by {:.1e} of its largest \
         entry, allowed {tolerance:e}; correct it, or leave it to autodiff", worst.what, worst.error
    )]
    Wrong {
        /// The closed form with the largest deviation.
        worst: ClosedForm,
        /// The largest deviation that rounding explains.
        tolerance: f64,
    },
    /// A parameter has no gradient.
    #[error("the contrast in closed form has no gradient for the parameter {parameter}")]
    Missing {
        /// Path of the parameter.
        parameter: String,
    },
}

impl<F: EnergyFunction> CustomEnergy<F> {
    /// Compares every closed form that the function supplies with autodiff, at `state` and between it
    /// and the [initial state](VectorField::rest). Closed forms that are not supplied are skipped.
    ///
    /// The state should lie inside the ranges of the activations, away from their ends and from the
    /// initial state, such as a random one. Reads results back, which waits for the device.
    ///
    /// # Errors
    /// If a closed form deviates by more than rounding, the worst one; or if a parameter has no
    /// gradient.
    pub fn check_closed_forms(
        &self,
        input: &Tensor<2>,
        state: &State,
    ) -> Result<Vec<ClosedForm>, ClosedFormError> {
        let function = &self.function;
        let mut found = Vec::new();
        for layer in 0..self.layers.len() {
            if let Some(drive) = function.drive(layer, input, state) {
                let expected = self.drive_by_autodiff(layer, input, state);
                let what = format!("the drive of layer {}", layer + 1);
                found.push(ClosedForm::new(what, drive, expected));
            }
        }
        let rest = self.rest(input);
        if let Some(contrast) = function.contrast(input, state, &rest, 1.0) {
            let scale = 1.0 / state.batch_size() as f64;
            let expected = slopes::difference_by_parameters(function, input, state, &rest, scale);
            let contrasts = parameters_with(function, &contrast).into_iter();
            for ((parameter, contrast), (_, expected)) in
                contrasts.zip(parameters_with(function, &expected))
            {
                let parameter = parameter.path;
                let (Some(contrast), Some(expected)) = (contrast, expected) else {
                    return Err(ClosedFormError::Missing { parameter });
                };
                let what = format!("the contrast of {parameter}");
                found.push(ClosedForm::new(what, contrast, expected));
            }
        }
        if let Some(contrast) = function.input_contrast(input, state, &rest, 1.0) {
            let expected = input_slopes(self, input, state, &rest, 1.0);
            let expected = expected.expect("a custom energy is an energy");
            let what = "the contrast of the input".to_string();
            found.push(ClosedForm::new(what, contrast, expected));
        }

        let tolerance = tolerance(state.output().dtype());
        let worst = found.iter().max_by(|a, b| a.error.total_cmp(&b.error));
        match worst {
            Some(worst) if worst.error.is_nan() || worst.error > tolerance => {
                let worst = worst.clone();
                Err(ClosedFormError::Wrong { worst, tolerance })
            }
            _ => Ok(found),
        }
    }
}

/// Rounding difference between two ways to compute the same, in sums of up to a thousand terms.
fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => 1e-10,
        _ => 1e-4,
    }
}

impl ClosedForm {
    fn new<const D: usize>(what: String, found: Tensor<D>, expected: Tensor<D>) -> Self {
        let largest = |tensor: Tensor<D>| largest(&flat(tensor.without_autodiff().abs()));
        let size = largest(expected.clone());
        let difference = largest(found - expected);
        Self {
            what,
            // ∞/∞ is a NaN whose sign is that of a negative number on some machines: `total_cmp`
            // would rank it lowest.
            error: if size == 0.0 {
                difference
            } else {
                (difference / size).abs()
            },
        }
    }
}
