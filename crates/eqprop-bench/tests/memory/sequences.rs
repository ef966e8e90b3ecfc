//! Memory of the gradient of a sequence.

use burn::tensor::{Device, Distribution, Tensor};
use eqprop_bench::baseline::SequenceBptt;
use eqprop_bench::memory::peak_of;
use eqprop_core::cost::{CrossEntropy, CrossEntropyConfig};
use eqprop_core::sequence::{
    CoupledOscillators, CoupledOscillatorsConfig, HamiltonianEcho, HamiltonianSystem,
    LeapfrogConfig,
};
use eqprop_train::batch::Batch;
use eqprop_train::sequence::{SequenceEstimator, SequenceNetwork};

type Estimator = dyn SequenceEstimator<CoupledOscillators, CrossEntropy>;

/// The echo runs 50 times the steps in the same memory, whether an input is held for long or there are many
/// inputs; the memory of backpropagation, which keeps every step, grows with them.
pub fn are_echoed_in_the_same_memory_however_long() {
    let device = Device::flex();
    let peak = |estimator: &Estimator, n_inputs: usize, steps_per_input: usize| {
        let oscillators = CoupledOscillatorsConfig::new(2, 32, 32).init(&device);
        let leapfrog = LeapfrogConfig::new(0.1, steps_per_input);
        let system = HamiltonianSystem::new(oscillators, leapfrog);
        let readout = CrossEntropyConfig::new(32, 4).init(&device);
        let network = SequenceNetwork::new(vec![system], readout);
        let input = Tensor::random([16, 2 * n_inputs], Distribution::Default, &device);
        let target = Tensor::<1, burn::tensor::Int>::zeros([16], &device)
            .one_hot(4)
            .float();
        let batch = Batch::new(input, target);
        let estimate = || drop(estimator.estimate(&network, &batch));
        estimate();
        peak_of(estimate).1 as f64
    };
    let echo = HamiltonianEcho::new(1e-3);
    for sizes in [[(40, 1), (2000, 1)], [(2, 20), (2, 1000)]] {
        let [few, many] = sizes.map(|(n, held)| peak(&echo, n, held));
        println!("echo, {sizes:?}: {few} and {many} bytes");
        // At the least one step's positions and tensions of both echoes.
        assert!(few > (4 * 16 * 32 * 4) as f64, "{few} bytes");
        // A copy of the inputs may be made; nothing of a step is kept.
        let inputs = (sizes[1].0 * 16 * 2 * 4) as f64;
        assert!(many < 1.05 * few + 2.0 * inputs, "{few} and {many} bytes");
        let [few, many] = sizes.map(|(n, held)| peak(&SequenceBptt, n, held));
        println!("backpropagation, {sizes:?}: {few} and {many} bytes");
        assert!(many > 20.0 * few, "{few} and {many} bytes");
    }
}
