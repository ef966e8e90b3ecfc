//! The devices that were compiled in.

#[cfg(any(
    feature = "wgpu",
    feature = "vulkan",
    feature = "metal",
    feature = "cuda",
    feature = "rocm"
))]
#[allow(unused_imports)] // Some backends need one of the two.
use burn::tensor::{Device, DeviceKind};
use eqprop_testing::Setup;

/// Flex in both formats, and every other device in `f32`, which all of them have.
pub fn all() -> Vec<Setup> {
    let mut all = vec![
        Setup::double(),
        Setup::single(),
        #[cfg(feature = "ndarray")]
        Setup::single_on("ndarray f32", {
            #[allow(deprecated)] // It stays supported for as long as Burn has it.
            burn::tensor::Device::ndarray()
        }),
        #[cfg(feature = "wgpu")]
        Setup::single_on("wgpu f32", Device::wgpu(DeviceKind::DefaultDevice)),
        #[cfg(feature = "vulkan")]
        Setup::single_on("vulkan f32", Device::vulkan(DeviceKind::DefaultDevice)),
        #[cfg(feature = "metal")]
        Setup::single_on("metal f32", Device::metal(DeviceKind::DefaultDevice)),
        #[cfg(feature = "cuda")]
        Setup::single_on("cuda f32", Device::cuda(0)),
        #[cfg(feature = "rocm")]
        Setup::single_on("rocm f32", Device::rocm(0)),
    ];
    all.retain(|setup| !is_left_out(setup));
    all
}

/// Whether the machine that runs the tests lacks the device: `EQPROP_TEST_DEVICES` names those to test, in a
/// build that has more.
fn is_left_out(setup: &Setup) -> bool {
    let Ok(named) = std::env::var("EQPROP_TEST_DEVICES") else {
        return false;
    };
    let backend = setup.name.split(' ').next();
    !named.split(',').any(|name| Some(name) == backend)
}

/// Whether the device is the processor itself, and no kernels have to be compiled for it.
pub fn is_a_processor(setup: &Setup) -> bool {
    ["flex", "ndarray"]
        .iter()
        .any(|backend| setup.name.starts_with(backend))
}

/// Devices in `f32`, but for processors.
#[cfg(feature = "cube")]
pub fn gpus() -> Vec<Setup> {
    let mut gpus = all();
    gpus.retain(|setup| !is_a_processor(setup));
    gpus
}
