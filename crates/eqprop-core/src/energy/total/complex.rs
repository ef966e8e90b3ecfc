//! Complex numbers as pairs of tensors, and the activations continued to them.

use burn::tensor::Tensor;

use crate::activation::Activation;

/// Keeps the logarithm finite at 0.
const TINY: f64 = 1e-30;

/// Complex numbers `re + i·im`.
#[derive(Debug, Clone)]
pub(super) struct Complex {
    pub re: Tensor<2>,
    pub im: Tensor<2>,
}

impl Complex {
    /// From the real parts of a batch, followed by the imaginary parts.
    pub fn split(stacked: &Tensor<2>) -> Self {
        let batch = stacked.dims()[0] / 2;
        Self {
            re: stacked.clone().narrow(0, 0, batch),
            im: stacked.clone().narrow(0, batch, batch),
        }
    }

    /// The inverse of [`split`](Self::split).
    pub fn stack(self) -> Tensor<2> {
        Tensor::cat(vec![self.re, self.im], 0)
    }

    pub fn add(self, other: Self) -> Self {
        Self {
            re: self.re + other.re,
            im: self.im + other.im,
        }
    }

    pub fn mul(self, other: Self) -> Self {
        let Self { re, im } = other;
        Self {
            re: self.re.clone() * re.clone() - self.im.clone() * im.clone(),
            im: self.re * im + self.im * re,
        }
    }

    pub fn div(self, other: Self) -> Self {
        let square = other.re.clone().square() + other.im.clone().square();
        let reciprocal = Self {
            re: other.re / square.clone(),
            im: other.im.neg() / square,
        };
        self.mul(reciprocal)
    }

    /// `factor · z + offset`, for real numbers.
    pub fn affine(self, factor: f64, offset: f64) -> Self {
        Self {
            re: self.re * factor + offset,
            im: self.im * factor,
        }
    }

    /// The principal value of the logarithm.
    fn log(self) -> Self {
        let square = self.re.clone().square() + self.im.clone().square();
        Self {
            re: square.clamp_min(TINY).log() * 0.5,
            im: self.im.atan2(self.re),
        }
    }

    /// `tanh(a + ib) = [tanh a + i sin b cos b (1 − tanh² a)] / (cos² b + tanh² a sin² b)`, which
    /// overflows nowhere.
    fn tanh(self) -> Self {
        let tanh = self.re.tanh();
        let (sin, cos) = (self.im.clone().sin(), self.im.cos());
        let rest = 1.0 - tanh.clone().square();
        let square = cos.clone().square() + (tanh.clone() * sin.clone()).square();
        Self {
            re: tanh / square.clone(),
            im: sin * cos * rest / square,
        }
    }

    /// `½[ln(1 + z) − ln(1 − z)]`.
    fn atanh(self) -> Self {
        let (plus, minus) = (self.clone().affine(1.0, 1.0), self.affine(-1.0, 1.0));
        plus.log()
            .add(minus.log().affine(-1.0, 0.0))
            .affine(0.5, 0.0)
    }

    /// `½[(1 + z) ln(1 + z) + (1 − z) ln(1 − z)]`, whose derivative is [`atanh`](Self::atanh).
    fn atanh_integral(self) -> Self {
        let x_log_x = |x: Self| x.clone().mul(x.log());
        let (plus, minus) = (self.clone().affine(1.0, 1.0), self.affine(-1.0, 1.0));
        x_log_x(plus).add(x_log_x(minus)).affine(0.5, 0.0)
    }
}

impl Activation {
    /// Whether `σ` is the restriction of a holomorphic function to the real line. The sigmoid and
    /// tanh are, up to the poles nearest to it; clipped activations are not.
    pub fn is_holomorphic(self) -> bool {
        match self {
            Self::Sigmoid | Self::Tanh | Self::Identity => true,
            Self::HardSigmoid
            | Self::Relu
            | Self::ClippedRelu { .. }
            | Self::Softmax
            | Self::Diode => false,
        }
    }

    /// `σ`, with `σ(4u − 2) = ½ + ½ tanh(2u − 1)` for the sigmoid.
    pub(super) fn apply_complex(self, drive: Complex) -> Complex {
        match self {
            Self::Sigmoid => drive.affine(2.0, -1.0).tanh().affine(0.5, 0.5),
            Self::Tanh => drive.tanh(),
            _ => drive,
        }
    }

    /// `σ⁻¹`.
    pub(super) fn inverse_complex(self, state: Complex) -> Complex {
        match self {
            Self::Sigmoid => state.affine(2.0, -1.0).atanh().affine(0.5, 0.5),
            Self::Tanh => state.atanh(),
            _ => state,
        }
    }

    /// The real part of the potential of each example, up to a constant.
    pub(super) fn potential_complex(self, state: Complex) -> Tensor<1> {
        let per_unit = match self {
            Self::Sigmoid => {
                let entropy = state.clone().affine(2.0, -1.0).atanh_integral();
                entropy.affine(0.25, 0.0).add(state.affine(0.5, 0.0))
            }
            Self::Tanh => state.atanh_integral(),
            _ => state.clone().mul(state).affine(0.5, 0.0),
        };
        per_unit.re.sum_dim(1).squeeze_dim(1)
    }
}
