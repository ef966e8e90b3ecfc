//! Recording the kernel launches of a device.

use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::Device;
use cubecl::logging::{LaunchObservation, LaunchObserver};

#[derive(Default)]
struct Names(Mutex<Vec<&'static str>>);

impl LaunchObserver for Names {
    fn launched(&self, kernel: &'static str) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.push(kernel);
    }
}

/// The names of the kernels launched while `work` runs, including those that other threads launch meanwhile.
pub fn launches(device: &Device, work: impl FnOnce()) -> Option<Vec<&'static str>> {
    device.sync().ok()?;
    let names = Arc::new(Names::default());
    let observation = LaunchObservation::new(names.clone());
    work();
    device.sync().ok()?;
    drop(observation);
    let names = names.0.lock().unwrap_or_else(PoisonError::into_inner);
    Some(names.clone())
}
