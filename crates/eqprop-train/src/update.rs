//! How much an update changes each parameter.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use eqprop_core::parameters::parameters;
use serde::{Deserialize, Serialize};

/// Watches `‖ΔW‖/‖W‖` of every parameter: the figure by which Scellier & Bengio (2017, §5)
/// choose the learning rate of each layer, so that it is about equal in all.
///
/// Measuring costs a pass over all parameters, so only every `every`-th update is measured.
/// Clones share what was measured.
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
#[derive(Debug, Default)]
struct Measured {
    latest: Vec<(String, Tensor<1>)>,
    /// Sum of the ratios since the last [`UpdateMonitor::take_mean`].
    sum: Vec<Tensor<1>>,
    count: usize,
}

/// What an [`UpdateMonitor`] has measured since its last restart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MeasuredRatios {
    /// Updates, measured or not.
    pub n_updates: u64,
    /// Updates that were measured.
    pub n_measured: usize,
    /// Sum of the ratios of each parameter, by its path.
    pub sums: Vec<(String, f64)>,
}

impl UpdateMonitor {
    /// Measures the first update and every `every`-th after it.
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

    /// The last measured ratios by parameter path, such as `network.energy.biases.0`. Reads
    /// them back, which waits for the device. A parameter that was all zero has ratio 0.
    pub fn latest(&self) -> Vec<(String, f64)> {
        let latest = self.measured().latest.clone();
        let read = latest
            .into_iter()
            .map(|(path, ratio)| (path, ratio.into_scalar::<f64>()));
        read.collect()
    }

    /// The mean of the ratios measured since the last call, by parameter path; empty if there
    /// was none. Reads them back, which waits for the device.
    pub fn take_mean(&self) -> Vec<(String, f64)> {
        let (latest, sum, count) = {
            let mut measured = self.measured();
            let count = std::mem::take(&mut measured.count);
            (
                measured.latest.clone(),
                std::mem::take(&mut measured.sum),
                count,
            )
        };
        let paths = latest.into_iter().map(|(path, _)| path);
        let means = sum
            .into_iter()
            .map(|sum| sum.into_scalar::<f64>() / count as f64);
        paths.zip(means).collect()
    }

    /// Forgets what was measured; the next update counts as the first.
    pub fn restart(&self) {
        self.shared.n_updates.store(0, Ordering::Relaxed);
        *self.measured() = Measured::default();
    }

    /// What was measured since the last restart. Reads it back, which waits for the device.
    pub(crate) fn so_far(&self) -> MeasuredRatios {
        let measured = self.measured();
        let paths = measured.latest.iter().map(|(path, _)| path.clone());
        let sums = measured
            .sum
            .iter()
            .map(|sum| sum.clone().into_scalar::<f64>());
        MeasuredRatios {
            n_updates: self.shared.n_updates.load(Ordering::Relaxed),
            n_measured: measured.count,
            sums: paths.zip(sums).collect(),
        }
    }

    /// Goes on from there, with the parameters of `module`.
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
        measured.latest = sums.collect();
        measured.sum = measured.latest.iter().map(|(_, sum)| sum.clone()).collect();
        measured.count = from.n_measured;
    }

    fn measured(&self) -> MutexGuard<'_, Measured> {
        // A panic elsewhere leaves whole measurements behind.
        self.shared
            .measured
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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
        let ratios: Vec<(String, Tensor<1>)> = ratios.collect();
        let mut measured = self.measured();
        measured.sum = if measured.count == 0 {
            ratios.iter().map(|(_, ratio)| ratio.clone()).collect()
        } else {
            let sums = std::mem::take(&mut measured.sum).into_iter();
            sums.zip(&ratios)
                .map(|(sum, (_, ratio))| sum + ratio.clone())
                .collect()
        };
        measured.count += 1;
        measured.latest = ratios;
        drop(measured);
        module
    }
}

fn norm(values: Tensor<1>) -> Tensor<1> {
    (values.clone() * values).sum().sqrt()
}
