//! The devices and number formats that equations are checked on.

use burn::tensor::{DType, Device, Tensor, TensorData};

/// A device, a number format, and how exact results on them are.
pub struct Setup {
    pub name: &'static str,
    pub device: Device,
    pub dtype: DType,
    /// Largest error of a number of order 1, directly computed or at an equilibrium.
    pub tolerance: f64,
    /// Largest error of a gradient estimated at |β| = 0.01: the contrast of two states is
    /// divided by β, and so are their errors.
    pub gradient_tolerance: f64,
}

impl Setup {
    /// Flex in `f64`. A relaxation ends within 1e-13 of its fixed point; networks that
    /// respond tenfold and β = 0.01 bring that to 1e-10.
    pub fn double() -> Self {
        Self {
            name: "flex f64",
            device: Device::flex(),
            dtype: DType::F64,
            tolerance: 1e-11,
            gradient_tolerance: 1e-9,
        }
    }

    /// Single precision on `device`: one rounding is 6e-8, sums of some ten terms make it
    /// 1e-6, and division by β = 0.01 makes that 1e-4.
    fn single(name: &'static str, device: Device) -> Self {
        Self {
            name,
            device,
            dtype: DType::F32,
            tolerance: 1e-5,
            gradient_tolerance: 1e-4,
        }
    }

    /// Every device that was compiled in. wgpu has no `f64`.
    pub fn all() -> Vec<Self> {
        vec![
            Self::double(),
            Self::single("flex f32", Device::flex()),
            #[cfg(feature = "ndarray")]
            Self::single("ndarray f32", {
                #[allow(deprecated)] // It stays supported for as long as Burn has it.
                Device::ndarray()
            }),
            #[cfg(feature = "wgpu")]
            Self::single(
                "wgpu f32",
                Device::wgpu(burn::tensor::DeviceKind::DefaultDevice),
            ),
        ]
    }

    pub fn tensor<const D: usize>(&self, values: Vec<f64>, shape: [usize; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(values, shape), (&self.device, self.dtype))
    }

    /// One number as `[1, 1]`, such as a β for all examples.
    pub fn number(&self, value: f64) -> Tensor<2> {
        self.tensor(vec![value], [1, 1])
    }
}

/// The numbers of a tensor, row by row.
pub fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    tensor.clone().into_data().iter::<f64>().collect()
}

/// The largest difference of two lists of numbers; not a number if an entry is not.
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    differences.fold(
        0.0,
        |most: f64, d| if d > most || d.is_nan() { d } else { most },
    )
}

#[track_caller]
pub fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    let distance = distance(found, expected);
    assert!(
        distance <= tolerance,
        "{what}: off by {distance:e}, allowed {tolerance:e}\n   found {found:?}\nexpected {expected:?}"
    );
}
