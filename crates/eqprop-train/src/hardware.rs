//! Weight updates on non-ideal analog devices.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Bool, Distribution, Tensor, TensorData};
use eqprop_core::parameters::{Parameter, parameters};
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;

use crate::config::HardwareConfig;

/// Default weight range if only the bits are given, in units of the connection's largest initial weight.
const RANGE: f64 = 4.0;
/// Streams of random numbers, far from those of the initial weights: for fixed properties, and for each
/// update.
const FIXED: u64 = 1 << 62;
const PASSING: u64 = 1 << 63;

/// Non-ideal devices that store the weights of a module; see [`HardwareConfig`]. Clones share their update
/// count.
#[derive(Debug, Clone)]
pub struct Hardware {
    config: HardwareConfig,
    seed: u64,
    devices: Arc<Vec<Option<Device>>>,
    n_updates: Arc<AtomicU64>,
}

/// Devices of a connection.
#[derive(Debug)]
struct Device {
    /// Largest initial weight.
    unit: f64,
    /// Gain of each device, if they differ.
    gains: Option<Tensor<1>>,
    /// Mask of the stuck devices, if there are any.
    stuck: Option<Tensor<1, Bool>>,
}

impl Hardware {
    /// Creates the devices that store the weights of `module`, at their initial values; `None` if the devices
    /// are ideal.
    ///
    /// # Panics
    /// If [`HardwareConfig::validate`] fails, with its message.
    pub fn new<M: Module>(config: HardwareConfig, seed: u64, module: &M) -> Option<Self> {
        if let Err(error) = config.validate() {
            panic!("{error}");
        }
        if config.holds_ideally() {
            return None;
        }
        let all = parameters(module).into_iter().enumerate();
        let devices = all.map(|(place, parameter)| {
            (parameter.rank > 1).then(|| Device::new(&config, seed, place, parameter))
        });
        Some(Self {
            config,
            seed,
            devices: Arc::new(devices.collect()),
            n_updates: Arc::default(),
        })
    }

    /// Continues after `n_updates` updates.
    pub fn resume(&self, n_updates: u64) {
        self.n_updates.store(n_updates, Ordering::Relaxed);
    }

    /// Applies `update` to `module`, as the devices realize it.
    ///
    /// # Panics
    /// If the parameters of `module` are not those that the devices were made for.
    pub fn update<M: Module>(&self, module: M, update: impl FnOnce(M) -> M) -> M {
        let before = parameters(&module);
        assert_eq!(
            before.len(),
            self.devices.len(),
            "these devices hold the weights of another module"
        );
        let count = self.n_updates.fetch_add(1, Ordering::Relaxed);
        let mut rng = ChaCha12Rng::seed_from_u64(self.seed);
        rng.set_stream(PASSING + count);
        update(module).map(&mut Landing {
            hardware: self,
            places: before.into_iter().zip(self.devices.iter()),
            rng,
        })
    }
}

impl Device {
    fn new(config: &HardwareConfig, seed: u64, place: usize, weights: Parameter) -> Self {
        let weights = weights.values.without_autodiff();
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        rng.set_stream(FIXED + place as u64);
        // Always draw both, so that one does not depend on the other.
        let [gains, chances] = [
            Distribution::Normal(0.0, 1.0),
            Distribution::Uniform(0.0, 1.0),
        ]
        .map(|distribution| draw(distribution, &weights, &mut rng));
        let gains = (gains * config.mismatch + 1.0).clamp_min(0.0);
        Self {
            unit: weights.abs().max().into_scalar::<f64>(),
            gains: (config.mismatch > 0.0).then_some(gains),
            stuck: (config.stuck > 0.0).then(|| chances.lower_elem(config.stuck)),
        }
    }
}

/// Draws numbers on the host, for the device and shape of `like`.
fn draw(distribution: Distribution, like: &Tensor<1>, rng: &mut ChaCha12Rng) -> Tensor<1> {
    let drawn = TensorData::random::<f32, _, _>(like.dims(), distribution, rng);
    Tensor::from_data(drawn, (&like.device(), like.dtype()))
}

/// Moves the weights of a module from their old values to those that the devices reach.
struct Landing<'a, P> {
    hardware: &'a Hardware,
    places: P,
    rng: ChaCha12Rng,
}

impl<P> Landing<'_, P> {
    /// Returns the result of an update from `old` to `new`.
    fn land(&mut self, device: &Device, old: Tensor<1>, new: Tensor<1>) -> Tensor<1> {
        let config = &self.hardware.config;
        let mut change = new - old.clone();
        if config.update_asymmetry != 0.0 {
            change = change.clone() + change.abs() * config.update_asymmetry;
        }
        if let Some(gains) = &device.gains {
            change = change * gains.clone();
        }
        if config.update_noise > 0.0 {
            let noise = draw(Distribution::Normal(0.0, 1.0), &old, &mut self.rng);
            change = change + noise * (config.update_noise * device.unit);
        }
        let mut landed = old.clone() + change;
        let default = config.weight_bits.map(|_| RANGE);
        if let Some(range) = config.weight_range.or(default) {
            let limit = range * device.unit;
            landed = landed.clamp(-limit, limit);
            if let (Some(bits), true) = (config.weight_bits, limit > 0.0) {
                // 2^bits − 1 levels, including 0.
                let n_above = (1u64 << (bits - 1)) - 1;
                let step = limit / n_above as f64;
                let chance = draw(Distribution::Uniform(0.0, 1.0), &old, &mut self.rng);
                landed = ((landed / step + chance).floor() * step).clamp(-limit, limit);
            }
        }
        match &device.stuck {
            Some(stuck) => landed.mask_where(stuck.clone(), old),
            None => landed,
        }
    }
}

impl<'a, P: Iterator<Item = (Parameter, &'a Option<Device>)>> ModuleMapper for Landing<'a, P> {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (before, device) = self.places.next().expect("checked: as many parameters");
        let Some(device) = device else {
            return parameter;
        };
        let (id, value, mapper) = parameter.consume();
        let shape = value.shape();
        let (is_autodiff, is_trained) = (value.is_autodiff(), value.is_require_grad());
        let new = value.without_autodiff().reshape([shape.num_elements()]);
        let old = before.values.without_autodiff();
        let landed = self.land(device, old, new).reshape(shape);
        let landed = match is_autodiff {
            true => Tensor::from_inner(landed).set_require_grad(is_trained),
            false => landed,
        };
        Param::from_mapped_value(id, landed, mapper)
    }
}
