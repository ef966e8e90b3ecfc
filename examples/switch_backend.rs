//! Trains on the first backend of this build, moves the network to every other backend, and compares its
//! predictions there.
//!
//! `cargo run --release --example switch_backend`; add `--features ndarray,wgpu` to have backends to compare.

use std::ops::ControlFlow;

use burn::tensor::TensorData;
use eqprop_train::prelude::*;

fn main() -> anyhow::Result<()> {
    let devices = devices();
    let (_, first) = devices.first().expect("a build has a backend");
    let config = Preset::Digits.config().with_override("epochs", "5")?;
    let digits = Dataset::load(&config.data.dataset, None)?;
    let mut training = Training::new(config, &digits, first)?;
    while !training.is_finished() {
        training.run_epoch(|_| ControlFlow::Continue(()))?;
    }

    let test = &digits.test;
    let shape = [test.len(), test.n_inputs()];
    let mut reference: Option<Vec<f64>> = None;
    println!(
        "{:8} {:>11} {:>24} {:>20}",
        "backend", "test error", "largest difference", "equal predictions"
    );
    for (name, device) in &devices {
        let network = training.learner().network.valid().to_device(device);
        let input = Tensor::from_data(TensorData::new(test.inputs.clone(), shape), device);
        let relaxation = Relaxation::steps(Scheme::Asynchronous, 50).with_tolerance(1e-6);
        let relaxed = network.relax(&relaxation, &input, None);
        let outputs: Vec<f64> = relaxed.state.output().to_data().iter::<f64>().collect();

        let classes = classes(&outputs);
        let labels = test.labels.iter().map(|&label| usize::from(label));
        let error = 1.0 - share_of_equal(&classes, labels);
        let reference = reference.get_or_insert_with(|| outputs.clone());
        let pairs = outputs.iter().zip(&*reference);
        let largest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let equal = share_of_equal(&classes, self::classes(reference));
        println!(
            "{name:8} {:>9.2} % {largest:>24.1e} {:>18.2} %",
            100.0 * error,
            100.0 * equal
        );
    }
    if devices.len() == 1 {
        println!("this build has one backend: try --features ndarray, or --features wgpu");
    }
    Ok(())
}

/// Returns the default device of every backend of this build.
#[allow(deprecated)] // Burn deprecates ndarray in favor of flex, and still ships it.
fn devices() -> Vec<(&'static str, Device)> {
    #[cfg(any(feature = "wgpu", feature = "vulkan", feature = "metal"))]
    use burn::tensor::DeviceKind::DefaultDevice;

    Vec::from([
        #[cfg(feature = "flex")]
        ("flex", Device::flex()),
        #[cfg(feature = "ndarray")]
        ("ndarray", Device::ndarray()),
        #[cfg(feature = "wgpu")]
        ("wgpu", Device::wgpu(DefaultDevice)),
        #[cfg(feature = "vulkan")]
        ("vulkan", Device::vulkan(DefaultDevice)),
        #[cfg(feature = "metal")]
        ("metal", Device::metal(DefaultDevice)),
        #[cfg(feature = "cuda")]
        ("cuda", Device::cuda(0)),
        #[cfg(feature = "rocm")]
        ("rocm", Device::rocm(0)),
    ])
}

/// Returns the largest of ten outputs, for each example.
fn classes(outputs: &[f64]) -> Vec<usize> {
    let largest = |outputs: &[f64]| (0..10).max_by(|&a, &b| outputs[a].total_cmp(&outputs[b]));
    outputs.chunks_exact(10).filter_map(largest).collect()
}

fn share_of_equal(a: &[usize], b: impl IntoIterator<Item = usize>) -> f64 {
    let equal = a.iter().zip(b).filter(|(a, b)| **a == *b);
    equal.count() as f64 / a.len() as f64
}
