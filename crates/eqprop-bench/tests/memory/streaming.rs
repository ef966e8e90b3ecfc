//! Memory of a training whose inputs stay in their files.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use eqprop_bench::memory::peak_of;
use eqprop_testing::training;
use eqprop_train::config::TrainingConfig;
use eqprop_train::data::{DataFiles, Dataset};
use eqprop_train::preset::Preset;

const N_PIXELS: usize = 784;

/// The largest memory per example: its label in several forms while the files are read, and its positions in
/// the order of the files and in the order of the epoch.
const MOST_BYTES: f64 = 200.0;

/// Number of examples in the smaller set; for longer tests by hand: EQPROP_EXAMPLES=60000.
fn few() -> usize {
    let asked = std::env::var("EQPROP_EXAMPLES").ok();
    let asked = asked.and_then(|number| number.parse().ok());
    // So many that each thread that looks through the files has its hands full.
    asked.unwrap_or_else(|| {
        10_000.max(1000 * std::thread::available_parallelism().map_or(1, usize::from))
    })
}

/// Writes pictures of the size of MNIST's, a fifth of them for the test.
fn write(folder: &Path, n: usize) {
    for (part, n) in [("train", n - n / 5), ("test", n / 5)] {
        let header = |axes: &[usize]| {
            let mut bytes = vec![0, 0, 8, axes.len() as u8];
            bytes.extend(axes.iter().flat_map(|&axis| (axis as u32).to_be_bytes()));
            bytes
        };
        let mut images = header(&[n, 28, 28]);
        images.extend((0..n * N_PIXELS).map(|k| (k % 251) as u8));
        fs::write(folder.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
        let mut labels = header(&[n]);
        labels.extend((0..n).map(|i| (i * 7 % 10) as u8));
        fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
    }
}

fn config(dataset: &Dataset) -> TrainingConfig {
    let mut config = Preset::Digits.config_for(&dataset.kind);
    config.network.hidden = vec![4.into()];
    (config.batch_size, config.epochs) = (100, 1);
    (config.phases.free_steps, config.phases.nudged_steps) = (2, 1);
    config
}

/// The most bytes held while loading `n` examples and training an epoch on them.
fn peak(n: usize, look: fn(&DataFiles) -> Dataset) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), n);
    let files = DataFiles::new(folder.path().to_str().unwrap());
    let (_, peak) = peak_of(|| {
        let dataset = look(&files);
        assert_eq!(dataset.train.len() + dataset.test.len(), n);
        let mut training = training(config(&dataset), &dataset);
        let record = training.run_epoch(|_| ControlFlow::Continue(()));
        record.unwrap().unwrap();
    });
    peak as f64
}

/// Checks the additional memory per streamed example against its bound, and against the memory of inputs that
/// are loaded.
pub fn grows_with_labels_alone() {
    let streamed = |files: &DataFiles| files.look_streaming().unwrap();
    let in_memory = |files: &DataFiles| files.look().unwrap();
    // Threads, and what they keep.
    peak(few(), streamed);
    let of_each = |look| {
        let [some, many] = [few(), 4 * few()].map(|n| peak(n, look));
        println!(
            "{some} bytes with {} examples, {many} with four times as many",
            few()
        );
        (many - some) / (3 * few()) as f64
    };
    let (streamed, in_memory) = (of_each(streamed), of_each(in_memory));
    println!("an example takes {streamed} bytes streamed, {in_memory} in memory");
    assert!(streamed < MOST_BYTES, "{streamed} bytes an example");
    // The allocator counts: at least the pixels as numbers.
    let least = (N_PIXELS * size_of::<f32>()) as f64;
    assert!(in_memory > least, "{in_memory} bytes an example");
}
