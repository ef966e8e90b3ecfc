//! The parts of a gradient estimate, on the CPU backend `flex`: `cargo bench`.
//!
//! The networks are those of the presets with their initial weights; the inputs are random.

use burn::tensor::{Device, Distribution, Tensor};
use divan::Bencher;
use divan::counter::ItemsCount;
use eqprop_bench::memory::CountingAllocator;
use eqprop_core::cost::AnyCost;
use eqprop_core::energy::{AnyField, TotalEnergy, VectorField};
use eqprop_core::relaxation::Relaxation;
use eqprop_core::state::State;
use eqprop_train::preset::Preset;

/// The same allocator as in the program.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Covers every kind of layer and dynamics that has its own code.
const PRESETS: [&str; 5] = ["paper-1h", "paper-2h", "dhn-1h", "conv-mnist", "drn-xs"];
const BATCHES: [usize; 2] = [16, 128];

fn main() {
    // One of the threads that compute, as in the program.
    let _ = rayon::ThreadPoolBuilder::new()
        .use_current_thread()
        .build_global();
    divan::main();
}

/// A network, a mini-batch and the state at rest.
struct Problem {
    energy: AnyField,
    input: Tensor<2>,
    relaxation: Relaxation,
}

impl Problem {
    fn new(preset: &str, batch: usize) -> Self {
        let preset: Preset = preset.parse().expect("a preset");
        let mut config = preset.config();
        config.phases.tolerance = None;
        let device = Device::flex();
        let shape = [batch, config.energy().input.n_units()];
        Self {
            energy: config.network(&device).energy,
            input: Tensor::random(shape, Distribution::Uniform(0.0, 1.0), &device),
            relaxation: config.estimator().free,
        }
    }

    fn relaxed(&self) -> State {
        let clamped = self.energy.clamp(&self.input);
        let total = TotalEnergy::<_, AnyCost>::free(&self.energy, &clamped);
        let start = self.energy.rest(&self.input);
        self.relaxation.relax(&total, start).state
    }
}

#[divan::bench(args = PRESETS, consts = BATCHES)]
fn clamp<const BATCH: usize>(bencher: Bencher<'_, '_>, preset: &str) {
    let problem = Problem::new(preset, BATCH);
    let bencher = bencher.counter(ItemsCount::new(BATCH));
    bencher.bench_local(|| problem.energy.clamp(&problem.input));
}

#[divan::bench(args = PRESETS, consts = BATCHES)]
fn free_phase<const BATCH: usize>(bencher: Bencher<'_, '_>, preset: &str) {
    let problem = Problem::new(preset, BATCH);
    let bencher = bencher.counter(ItemsCount::new(BATCH));
    bencher.bench_local(|| problem.relaxed());
}

#[divan::bench(args = PRESETS, consts = BATCHES)]
fn contrast<const BATCH: usize>(bencher: Bencher<'_, '_>, preset: &str) {
    let problem = Problem::new(preset, BATCH);
    let Problem { energy, input, .. } = &problem;
    let [first, second] = [problem.relaxed(), energy.rest(input)];
    let bencher = bencher.counter(ItemsCount::new(BATCH));
    bencher.bench_local(|| energy.contrast(&energy.clamp(input), &first, &second, 1.0));
}
