//! Counting what a device is given to do.

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

/// The kernels that are launched while `work` runs, by name, and all that others launch meanwhile.
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
