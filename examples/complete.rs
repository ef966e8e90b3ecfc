//! Completes covered images. The energy has no direction, so the visible layer is a layer like any other: its
//! units are clamped where the image is seen, and relax where it is covered.
//!
//! Trained by equilibrium propagation: the free phase completes the image, and the nudged phases pull the
//! completed part toward the true image. Writes a picture with the images, their visible parts, and the
//! completions of the network.
//!
//! `cargo run --release --example complete [-- PICTURE.png]`

use std::path::PathBuf;

use burn::optim::AdamConfig;
use burn::tensor::TensorData;
use eqprop_core::connection::{ConnectionConfig, ConnectionKind};
use eqprop_train::prelude::*;
use image::{Rgb, RgbImage};

/// Number of pixels along a side of a digit.
const SIDE: usize = 8;
const N_PIXELS: usize = SIDE * SIDE;
const N_HIDDEN: usize = 256;
const N_EPOCHS: i32 = 40;

fn main() -> anyhow::Result<()> {
    let device = Device::default().autodiff();
    device.seed(0);
    let digits = Dataset::load(DatasetKind::Digits, None)?;

    // Hidden units, and the pixels as the last layer, which is the one that a cost nudges. The graph has no
    // external input.
    let layers = [N_HIDDEN, N_PIXELS].map(|n| LayerConfig::new(n, Activation::HardSigmoid));
    let joined = ConnectionConfig {
        from: 1,
        to: 2,
        kind: ConnectionKind::Dense,
        initializer: InitializerConfig::FanIn { gain: 0.5 },
    };
    let energy = HopfieldEnergyConfig::new(1.into(), layers.into(), vec![joined]).init(&device);
    let network = EquilibriumNetwork::new(PartlyClamped::new(energy, [1]), SquaredError);
    let phase = |n_steps| Relaxation::steps(Scheme::Asynchronous, n_steps);
    let nudging = Nudging::Centered { beta: 0.5 };
    let method = EquilibriumPropagation::new(nudging, phase(15), phase(6));
    let mut learner = EquilibriumLearner::new(network, method);
    let mut optimizer: ModuleOptimizer = AdamConfig::new().init();

    let train = BatchLoader::new(&digits.train, 32, Order::Shuffled { seed: 0 }, &device);
    let plain = device.clone().without_autodiff();
    let test = BatchLoader::new(&digits.test, digits.test.len(), Order::Sequential, &plain);
    let test = test.iter().next().expect("a test set")?;
    let mean = Tensor::<2>::from_data(
        TensorData::new(digits.train.inputs.clone(), [digits.train.len(), N_PIXELS]),
        &plain,
    )
    .mean_dim(0);
    let baseline = error(&mean.expand([digits.test.len(), N_PIXELS]), &test.input);
    println!("epoch  squared error of what is covered, that of the mean image being {baseline:.4}");
    for epoch in 0..=N_EPOCHS {
        let completed = learner.infer(&covered(&test.input)).state;
        if epoch % 5 == 0 || epoch == N_EPOCHS {
            let found = error(completed.output(), &test.input);
            println!("{epoch:>5}  {found:.4}, {:.3} of it", found / baseline);
        }
        if epoch == N_EPOCHS {
            draw(&test.input, completed.output())?;
            break;
        }
        let rate = 0.003 * 0.97_f64.powi(epoch);
        for batch in train.iter() {
            let image = batch?.input;
            let step = TrainStep::step(&learner, Batch::new(covered(&image), image));
            learner = learner.optimize(&mut optimizer, rate.into(), step.grads);
        }
    }
    Ok(())
}

/// Returns the images with their lower halves unknown.
fn covered(images: &Tensor<2>) -> Tensor<2> {
    let [n, _] = images.dims();
    let lower = [0..n, N_PIXELS / 2..N_PIXELS];
    images.clone().slice_fill(lower, f32::NAN)
}

/// Returns the mean squared error of the covered pixels.
fn error(found: &Tensor<2>, images: &Tensor<2>) -> f64 {
    let lower = |images: &Tensor<2>| images.clone().narrow(1, N_PIXELS / 2, N_PIXELS / 2);
    let difference = lower(found) - lower(images);
    difference.square().mean().into_scalar::<f64>()
}

/// Draws the first test images, their visible parts, and their completions.
fn draw(images: &Tensor<2>, completed: &Tensor<2>) -> anyhow::Result<()> {
    const COLUMNS: usize = 20;
    const ZOOM: usize = 5;
    const CELL: usize = SIDE * ZOOM + 4;
    let ground = Rgb([64, 64, 80]);
    let mut picture = RgbImage::from_pixel((COLUMNS * CELL) as u32, (3 * CELL) as u32, ground);
    let rows = [images.clone(), covered(images), completed.clone()];
    for (row, images) in rows.into_iter().enumerate() {
        let values: Vec<f32> = images.into_data().iter().collect();
        for (column, image) in values.chunks_exact(N_PIXELS).take(COLUMNS).enumerate() {
            for y in 0..SIDE * ZOOM {
                for x in 0..SIDE * ZOOM {
                    let value = image[y / ZOOM * SIDE + x / ZOOM];
                    if value.is_nan() {
                        continue;
                    }
                    let gray = (255.0 * value.clamp(0.0, 1.0)) as u8;
                    let (x, y) = (column * CELL + x + 2, row * CELL + y + 2);
                    picture.put_pixel(x as u32, y as u32, Rgb([gray; 3]));
                }
            }
        }
    }
    let path = std::env::args_os().nth(1).map(PathBuf::from);
    let path = path.unwrap_or_else(|| std::env::temp_dir().join("eqprop-complete.png"));
    picture.save(&path)?;
    println!(
        "wrote {}: the images, what is seen of them, completed",
        path.display()
    );
    Ok(())
}
