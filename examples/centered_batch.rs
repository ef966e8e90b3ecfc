//! Times the two nudged phases of a centered estimate: one after the other, and as one batch of
//! twice the size.
//!
//! `cargo run --release --example centered_batch`

use std::time::{Duration, Instant};

use burn::tensor::Distribution;
use eqprop_train::prelude::*;

/// Interleaved repetitions; the median is printed.
const ROUNDS: usize = 15;

fn main() {
    let device = Device::default();
    println!(
        "{:28} {:>6} {:>14} {:>14} {:>7}",
        "network", "batch", "separate (ms)", "doubled (ms)", "ratio"
    );
    let networks: [(&[usize], usize); 3] = [
        (&[784, 500, 10], 4),
        (&[784, 1024, 10], 15),
        (&[784, 1024, 1024, 1024, 10], 10),
    ];
    for (sizes, n_steps) in networks {
        for batch in [16, 128] {
            let (separate, doubled) = time(sizes, n_steps, batch, &device);
            let ms = |time: Duration| 1e3 * time.as_secs_f64();
            let name: Vec<_> = sizes.iter().map(usize::to_string).collect();
            println!(
                "{:28} {batch:>6} {:>14.2} {:>14.2} {:>7.2}",
                name.join("-"),
                ms(separate),
                ms(doubled),
                ms(separate) / ms(doubled)
            );
        }
    }
}

fn time(sizes: &[usize], n_steps: usize, batch: usize, device: &Device) -> (Duration, Duration) {
    let (hidden, output) = (Activation::HardSigmoid, Activation::Identity);
    let weights = InitializerConfig::FanIn { gain: 0.7 };
    let energy = HopfieldEnergyConfig::dense(sizes, hidden, output, weights).init(device);
    let input = Tensor::random([batch, sizes[0]], Distribution::Default, device);
    let target = Tensor::zeros([batch, 10], device);
    let relaxation = Relaxation::steps(Scheme::Asynchronous, n_steps);
    let clamped = energy.clamp(&input);
    let total = TotalEnergy::<_, SquaredError>::free(&energy, &clamped);
    let free = relaxation.relax(&total, energy.rest(&input)).state;

    let separate = || {
        for beta in [0.2, -0.2] {
            let beta = Tensor::full([1, 1], beta, device);
            let total = TotalEnergy::nudged(&energy, &clamped, &SquaredError, &target, beta);
            relaxation.relax(&total, free.clone());
        }
    };
    let doubled = || {
        let column = |beta: f64| Tensor::full([batch, 1], beta, device);
        let betas = Tensor::cat(vec![column(0.2), column(-0.2)], 0);
        let clamped = energy.repeat(&clamped, 2);
        let target = target.clone().repeat_dim(0, 2);
        let total = TotalEnergy::nudged(&energy, &clamped, &SquaredError, &target, betas);
        relaxation.relax(&total, free.repeat(2));
    };
    let clock = |work: &dyn Fn()| {
        let start = Instant::now();
        work();
        device.sync().expect("the device works");
        start.elapsed()
    };
    separate();
    doubled();
    let mut times: Vec<_> = (0..ROUNDS)
        .map(|_| (clock(&separate), clock(&doubled)))
        .collect();
    times.sort_by_key(|time| time.0);
    let median = times[ROUNDS / 2].0;
    times.sort_by_key(|time| time.1);
    (median, times[ROUNDS / 2].1)
}
