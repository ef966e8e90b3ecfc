//! Complex numbers as pairs of tensors.

use burn::tensor::Tensor;

/// Keeps the logarithm finite at 0.
const TINY: f64 = 1e-30;

/// Complex numbers `re + i·im`.
#[derive(Debug, Clone)]
pub struct Complex {
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
    pub fn tanh(self) -> Self {
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
    pub fn atanh(self) -> Self {
        let (plus, minus) = (self.clone().affine(1.0, 1.0), self.affine(-1.0, 1.0));
        plus.log()
            .add(minus.log().affine(-1.0, 0.0))
            .affine(0.5, 0.0)
    }

    /// `½[(1 + z) ln(1 + z) + (1 − z) ln(1 − z)]`, whose derivative is [`atanh`](Self::atanh).
    pub fn atanh_integral(self) -> Self {
        let x_log_x = |x: Self| x.clone().mul(x.log());
        let (plus, minus) = (self.clone().affine(1.0, 1.0), self.affine(-1.0, 1.0));
        x_log_x(plus).add(x_log_x(minus)).affine(0.5, 0.0)
    }
}
