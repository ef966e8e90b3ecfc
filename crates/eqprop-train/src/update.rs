//! How much an update changes each parameter.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

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
    latest: Mutex<Vec<(String, Tensor<1>)>>,
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
        let latest = self.shared.latest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let read = latest.into_iter().map(|(path, ratio)| {
            let ratio = ratio.into_scalar::<f64>();
            (path, if ratio.is_finite() { ratio } else { 0.0 })
        });
        read.collect()
    }

    pub(crate) fn observe<M: Module>(&self, module: M, update: impl FnOnce(M) -> M) -> M {
        let number = self.shared.n_updates.fetch_add(1, Ordering::Relaxed);
        if number % self.every != 0 {
            return update(module);
        }
        let before = parameters(&module);
        let module = update(module);
        let ratios = before.into_iter().zip(parameters(&module)).map(|(old, new)| {
            let (path, old) = old;
            let change = norm(new.1 - old.clone());
            (path, change / norm(old))
        });
        let ratios = ratios.collect();
        *self.shared.latest.lock().unwrap_or_else(PoisonError::into_inner) = ratios;
        module
    }
}

fn norm(values: Tensor<1>) -> Tensor<1> {
    (values.clone() * values).sum().sqrt()
}

/// Every float parameter as a vector, with its path.
fn parameters<M: Module>(module: &M) -> Vec<(String, Tensor<1>)> {
    #[derive(Default)]
    struct Collector {
        path: Vec<String>,
        found: Vec<(String, Tensor<1>)>,
    }

    impl ModuleVisitor for Collector {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_string());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let values = parameter.val().without_autodiff();
            let n = values.shape().num_elements();
            self.found.push((self.path.join("."), values.reshape([n])));
        }
    }

    let mut collector = Collector::default();
    module.visit(&mut collector);
    collector.found
}
