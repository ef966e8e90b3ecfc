//! Selects devices by name.

use anyhow::{Context, Result, anyhow, bail};
use burn::tensor::{Device, Tensor};
use eqprop_train::panic;
use eqprop_train::suggestion::did_you_mean;
use serde::Serialize;

/// A known backend.
struct Backend {
    /// Its name, which is also the name of its cargo feature.
    name: &'static str,
    /// Whether this build includes it.
    compiled: bool,
    /// The hardware that it runs on.
    about: &'static str,
}

/// All backends, in the order in which the default is chosen.
const BACKENDS: [Backend; 7] = [
    backend("flex", cfg!(feature = "flex"), "CPU"),
    backend("ndarray", cfg!(feature = "ndarray"), "CPU"),
    backend(
        "wgpu",
        cfg!(feature = "wgpu"),
        "GPU through Vulkan, Metal or DirectX (WGSL)",
    ),
    backend(
        "vulkan",
        cfg!(feature = "vulkan"),
        "GPU through Vulkan (SPIR-V)",
    ),
    backend("metal", cfg!(feature = "metal"), "Apple GPU through Metal"),
    backend("cuda", cfg!(feature = "cuda"), "NVIDIA GPU through CUDA"),
    backend("rocm", cfg!(feature = "rocm"), "AMD GPU through ROCm"),
];

const fn backend(name: &'static str, compiled: bool, about: &'static str) -> Backend {
    Backend {
        name,
        compiled,
        about,
    }
}

/// The devices that this build and this machine offer for a backend.
#[derive(Debug, Serialize)]
pub struct Offer {
    /// Name of the backend.
    pub backend: &'static str,
    /// Whether this build includes it.
    pub compiled: bool,
    /// The hardware that it runs on.
    pub about: &'static str,
    /// Its devices on this machine.
    pub devices: Vec<Found>,
}

/// A device of this machine.
#[derive(Debug, Serialize)]
pub struct Found {
    /// Its name for `--device`.
    pub name: String,
    /// The model name that the device reports, if it reports one.
    pub model: Option<String>,
}

/// A device with the name by which it was chosen.
#[derive(Debug, Clone)]
pub struct NamedDevice {
    /// The name.
    pub name: String,
    /// The device.
    pub device: Device,
}

/// Opens the device called `name` and tries it out; without a name, the first backend of this build.
///
/// # Errors
/// If there is no such device, or it does not work.
pub fn open(name: Option<&str>) -> Result<NamedDevice> {
    let default = BACKENDS.iter().find(|backend| backend.compiled);
    let name = match (name, default) {
        (Some(name), _) => name,
        (None, Some(backend)) => backend.name,
        (None, None) => bail!("this build has no backend: build it with --features flex"),
    };
    let device = quietly(|| find(name))
        .and_then(|device| device)
        .with_context(|| format!("cannot use device `{name}`"))?;
    quietly(|| {
        let one = Tensor::<1>::ones([1], &device);
        (one.clone() + one).into_scalar::<f32>()
    })
    .with_context(|| format!("device `{name}` does not work on this machine"))?;
    Ok(NamedDevice {
        name: name.to_string(),
        device,
    })
}

/// Lists the devices of every backend. Opens the devices.
pub fn offers() -> Vec<Offer> {
    let offers = BACKENDS.iter().map(|backend| Offer {
        backend: backend.name,
        compiled: backend.compiled,
        about: backend.about,
        devices: match backend.name {
            _ if !backend.compiled => Vec::new(),
            "flex" | "ndarray" => vec![Found {
                name: backend.name.to_string(),
                model: None,
            }],
            name => {
                let devices = quietly(|| enumerate(name)).unwrap_or_default();
                let found = devices.iter().enumerate().map(|(index, device)| Found {
                    name: format!("{name}:{index}"),
                    model: quietly(|| model(device)).ok().flatten(),
                });
                found.collect()
            }
        },
    });
    offers.collect()
}

fn find(name: &str) -> Result<Device> {
    let (backend, index) = match name.split_once(':') {
        None => (name, None),
        Some((backend, index)) => {
            let number = index.parse::<usize>();
            let index = number.with_context(|| format!("`{index}` is not a device number"))?;
            (backend, Some(index))
        }
    };
    let known = BACKENDS.iter().find(|known| known.name == backend);
    let known = known.ok_or_else(|| {
        let names: Vec<_> = BACKENDS.iter().map(|backend| backend.name).collect();
        let meant = match backend.to_lowercase().as_str() {
            "cpu" | "host" => "; for the CPU use `flex`".to_string(),
            "gpu" => "; for a GPU use `cuda`, `rocm`, `metal`, `vulkan` or `wgpu`".to_string(),
            _ => did_you_mean(backend, names.iter().copied()),
        };
        anyhow!(
            "unknown backend `{backend}`{meant}; the backends are: {}",
            names.join(", ")
        )
    })?;
    if !known.compiled {
        bail!(
            "this build does not have the backend `{backend}`: build it with `cargo build \
             --release --features {backend}`"
        );
    }
    match (backend, index) {
        ("flex" | "ndarray", Some(_)) => {
            bail!("there is one `{backend}` device: leave out the number")
        }
        (_, None) => Ok(default_device(backend)),
        (_, Some(index)) => {
            let devices = enumerate(backend);
            let n = devices.len();
            let device = devices.into_iter().nth(index);
            device.ok_or_else(|| anyhow!("this machine has {n} `{backend}` devices, from 0"))
        }
    }
}

/// Returns the default device of a backend in this build.
#[allow(deprecated)] // Burn deprecates ndarray in favor of flex, and still ships it.
fn default_device(backend: &str) -> Device {
    match backend {
        #[cfg(feature = "flex")]
        "flex" => Device::flex(),
        #[cfg(feature = "ndarray")]
        "ndarray" => Device::ndarray(),
        #[cfg(feature = "wgpu")]
        "wgpu" => Device::wgpu(burn::tensor::DeviceKind::DefaultDevice),
        #[cfg(feature = "vulkan")]
        "vulkan" => Device::vulkan(burn::tensor::DeviceKind::DefaultDevice),
        #[cfg(feature = "metal")]
        "metal" => Device::metal(burn::tensor::DeviceKind::DefaultDevice),
        #[cfg(feature = "cuda")]
        "cuda" => Device::cuda(0),
        #[cfg(feature = "rocm")]
        "rocm" => Device::rocm(0),
        _ => unreachable!("only backends of this build are asked for"),
    }
}

/// Lists the devices of a GPU backend on this machine.
fn enumerate(backend: &str) -> Vec<Device> {
    match backend {
        #[cfg(feature = "wgpu")]
        "wgpu" => Device::enumerate(burn::tensor::DeviceType::Wgpu).into_vec(),
        #[cfg(feature = "vulkan")]
        "vulkan" => Device::enumerate(burn::tensor::DeviceType::Vulkan).into_vec(),
        #[cfg(feature = "metal")]
        "metal" => Device::enumerate(burn::tensor::DeviceType::Metal).into_vec(),
        #[cfg(feature = "cuda")]
        "cuda" => Device::enumerate(burn::tensor::DeviceType::Cuda).into_vec(),
        #[cfg(feature = "rocm")]
        "rocm" => Device::enumerate(burn::tensor::DeviceType::Rocm).into_vec(),
        _ => Vec::new(),
    }
}

/// Returns the model name that a GPU reports. Opens the device.
fn model(device: &Device) -> Option<String> {
    #[cfg(any(
        feature = "wgpu",
        feature = "vulkan",
        feature = "metal",
        feature = "cuda",
        feature = "rocm"
    ))]
    return device.identity().map(|identity| identity.name);
    #[allow(unreachable_code)] // Without a GPU backend no device has a name.
    {
        let _ = device;
        None
    }
}

/// Runs `f`, and turns a panic into an error: missing or broken drivers make the GPU runtimes panic.
fn quietly<T>(f: impl FnOnce() -> T) -> Result<T> {
    panic::catch(f).map_err(|message| anyhow!(message))
}
