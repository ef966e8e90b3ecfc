//! The devices that were compiled in.

use eqprop_testing::Setup;

/// Flex in both formats, and every other device. wgpu has no `f64`.
pub fn all() -> Vec<Setup> {
    vec![
        Setup::double(),
        Setup::single(),
        #[cfg(feature = "ndarray")]
        Setup::single_on("ndarray f32", {
            #[allow(deprecated)] // It stays supported for as long as Burn has it.
            burn::tensor::Device::ndarray()
        }),
        #[cfg(feature = "wgpu")]
        Setup::single_on(
            "wgpu f32",
            burn::tensor::Device::wgpu(burn::tensor::DeviceKind::DefaultDevice),
        ),
    ]
}
