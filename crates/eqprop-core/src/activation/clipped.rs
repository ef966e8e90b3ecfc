//! Responses that follow the drive between two bounds: hard sigmoid, ReLU, clipped ReLU, identity.

use burn::tensor::{Tensor, activation};

use super::complex::Complex;
use super::rule::{Continuation, Rule};
use crate::error::ConfigError;
use crate::fused::Response;

/// `clip(u, low, high)` with `G(s) = ½s²`, where there are such bounds.
pub struct Clipped {
    low: Option<f64>,
    high: Option<f64>,
}

impl Clipped {
    /// Between 0 and `high`.
    pub const fn up_to(high: f64) -> Self {
        Self {
            low: Some(0.0),
            high: Some(high),
        }
    }

    /// From 0 on.
    pub const ABOVE_ZERO: Self = Self {
        low: Some(0.0),
        high: None,
    };

    /// Anywhere.
    pub const NOWHERE: Self = Self {
        low: None,
        high: None,
    };
}

impl Rule for Clipped {
    fn apply(&self, drive: Tensor<2>) -> Tensor<2> {
        match (self.low, self.high) {
            (Some(low), Some(high)) => drive.clamp(low, high),
            (Some(_), None) => activation::relu(drive),
            (None, _) => drive,
        }
    }

    fn inverse(&self, state: Tensor<2>) -> Tensor<2> {
        state
    }

    fn pull_back(&self, response: Tensor<2>, gradient: Tensor<2>) -> Tensor<2> {
        let Some(low) = self.low else {
            return gradient;
        };
        let below = response.clone().lower_equal_elem(low);
        let clipped = match self.high {
            Some(high) => below.bool_or(response.greater_equal_elem(high)),
            None => below,
        };
        gradient.mask_fill(clipped, 0.0)
    }

    fn potential(&self, state: Tensor<2>) -> Tensor<2> {
        state.clone() * state * 0.5
    }

    fn range(&self) -> [f64; 2] {
        [
            self.low.unwrap_or(f64::NEG_INFINITY),
            self.high.unwrap_or(f64::INFINITY),
        ]
    }

    fn is_quadratic(&self) -> bool {
        true
    }

    fn has_kinks(&self) -> bool {
        self.low.is_some()
    }

    fn reflect(&self, value: Tensor<2>) -> Tensor<2> {
        match (self.low, self.high) {
            (Some(_), Some(high)) => {
                let value = value.abs().remainder_scalar(2.0 * high);
                value.clone().min_pair(value * -1.0 + 2.0 * high)
            }
            (Some(_), None) => value.abs(),
            (None, _) => value,
        }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        match self.high {
            Some(high) => ConfigError::positive_number("clipped_relu max", high),
            None => Ok(()),
        }
    }

    fn response(&self) -> Option<Response> {
        Some(Response::Clip(self.range()))
    }

    fn continuation(&self) -> Option<&dyn Continuation> {
        match self.low {
            Some(_) => None,
            None => Some(self),
        }
    }
}

impl Continuation for Clipped {
    fn apply(&self, drive: Complex) -> Complex {
        drive
    }

    fn inverse(&self, state: Complex) -> Complex {
        state
    }

    fn potential(&self, state: Complex) -> Complex {
        state.clone().mul(state).affine(0.5, 0.0)
    }
}
