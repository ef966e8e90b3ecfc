//! Relative size of the updates of each parameter.

#[cfg(all(test, feature = "flex", feature = "ndarray"))]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use eqprop_core::parameters::parameters;
use serde::{Deserialize, Serialize};

/// A monitor of `‖ΔW‖/‖W‖` of every parameter, the ratio by which Scellier & Bengio (2017, §5)
/// choose the learning rate of each layer, so that it is about equal in all layers.
///
/// Measuring costs a pass over all parameters, so only every `every`-th update is measured.
/// Clones share the measurements.
#[derive(Debug, Clone)]
pub struct UpdateMonitor {
    every: u64,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    n_updates: AtomicU64,
    measured: Mutex<Measured>,
}

/// Ratios by parameter path, on the device.
type Ratios = Vec<(String, Tensor<1>)>;

#[derive(Debug, Default)]
struct Measured {
    latest: Ratios,
    /// Sums since the last [`UpdateMonitor::take_mean`].
    sums: Ratios,
    count: usize,
    /// Device of the monitored replica, among replicas that make the same updates.
    replica: Option<Device>,
}

/// Measurements of an [`UpdateMonitor`] since its last restart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MeasuredRatios {
    /// Number of updates, measured or not.
    pub n_updates: u64,
    /// Number of measured updates.
    pub n_measured: usize,
    /// Sum of the ratios of each parameter, by its path.
    pub sums: Vec<(String, f64)>,
}

impl UpdateMonitor {
    /// Creates a monitor that measures the first update and every `every`-th after it.
    ///
    /// # Panics
    /// If `every` is 0.
    pub fn new(every: u64) -> Self {
        assert!(every > 0, "every must be at least 1, but is 0");
        Self {
            every,
            shared: Arc::default(),
        }
    }

    /// Returns the last measured ratios by parameter path, such as `network.energy.biases.0`. Reads
    /// them back, which waits for the device. A parameter that was all zero has ratio 0.
    pub fn latest(&self) -> Vec<(String, f64)> {
        let latest = self.measured().latest.clone();
        read(&latest)
    }

    /// Returns the mean of the ratios measured since the last call, by parameter path; empty if there
    /// was none. Reads them back, which waits for the device.
    pub fn take_mean(&self) -> Vec<(String, f64)> {
        let (sums, count) = {
            let mut measured = self.measured();
            let sums = std::mem::take(&mut measured.sums);
            (sums, std::mem::take(&mut measured.count))
        };
        let mut means = read(&sums);
        means.iter_mut().for_each(|(_, sum)| *sum /= count as f64);
        means
    }

    /// Discards all measurements; the next update counts as the first.
    pub fn restart(&self) {
        self.shared.n_updates.store(0, Ordering::Relaxed);
        *self.measured() = Measured::default();
    }

    /// Returns the measurements since the last restart. Reads them back, which waits for the device.
    pub(crate) fn so_far(&self) -> MeasuredRatios {
        let measured = self.measured();
        MeasuredRatios {
            n_updates: self.shared.n_updates.load(Ordering::Relaxed),
            n_measured: measured.count,
            sums: read(&measured.sums),
        }
    }

    /// Continues from `from`, with the parameters of `module`.
    pub(crate) fn go_on<M: Module>(&self, from: &MeasuredRatios, module: &M) {
        self.restart();
        self.shared
            .n_updates
            .store(from.n_updates, Ordering::Relaxed);
        let parameters = parameters(module);
        let sums = from.sums.iter().filter_map(|(path, sum)| {
            let like = &parameters.iter().find(|found| found.path == *path)?.values;
            let options = (&like.device().without_autodiff(), like.dtype());
            let sum = Tensor::<1>::from_data(TensorData::from([*sum]), options);
            Some((path.clone(), sum))
        });
        let mut measured = self.measured();
        measured.sums = sums.collect();
        measured.latest = measured.sums.clone();
        measured.count = from.n_measured;
    }

    fn measured(&self) -> MutexGuard<'_, Measured> {
        // A panic elsewhere leaves whole measurements behind.
        self.shared
            .measured
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an update that is not measured.
    pub(crate) fn skip(&self) {
        self.shared.n_updates.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns whether the next update is measured.
    pub(crate) fn is_due(&self) -> bool {
        let number = self.shared.n_updates.load(Ordering::Relaxed);
        number.is_multiple_of(self.every)
    }

    /// Returns whether the replica on `device` is the monitored one, of several that make the same updates:
    /// the first to ask.
    pub(crate) fn watches(&self, device: &Device) -> bool {
        let mut measured = self.measured();
        measured.replica.get_or_insert_with(|| device.clone()) == device
    }

    pub(crate) fn observe<M: Module>(&self, module: M, update: impl FnOnce(M) -> M) -> M {
        let number = self.shared.n_updates.fetch_add(1, Ordering::Relaxed);
        if !number.is_multiple_of(self.every) {
            return update(module);
        }
        let before = parameters(&module);
        let module = update(module);
        let ratios = before
            .into_iter()
            .zip(parameters(&module))
            .map(|(old, new)| {
                let (path, old) = (old.path, old.values.without_autodiff());
                let change = norm(new.values.without_autodiff() - old.clone());
                // A parameter that was all zero has no ratio: count it as 0.
                let size = norm(old);
                let none = size.clone().equal_elem(0.0);
                (path, (change / size).mask_fill(none, 0.0))
            });
        let latest: Ratios = ratios.collect();
        let mut measured = self.measured();
        if measured.count == 0 {
            measured.sums = latest.clone();
        } else {
            for ((_, sum), (_, ratio)) in measured.sums.iter_mut().zip(&latest) {
                *sum = sum.clone() + ratio.clone();
            }
        }
        measured.count += 1;
        measured.latest = latest;
        drop(measured);
        module
    }
}

fn read(ratios: &Ratios) -> Vec<(String, f64)> {
    let ratios = ratios.iter();
    let read = ratios.map(|(path, ratio)| (path.clone(), ratio.clone().into_scalar::<f64>()));
    read.collect()
}

fn norm(values: Tensor<1>) -> Tensor<1> {
    (values.clone() * values).sum().sqrt()
}
