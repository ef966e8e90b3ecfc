//! Measures how close the products of a step come to the processor's peak, with one thread and with all:
//! `cargo bench --bench kernels`.
//!
//! The shapes are those of the presets. The share of zeros in the left factor is that of images, of hidden
//! layers, or none; multiplications by 0 count as done, so that a product may exceed the peak.

use std::hint::black_box;
use std::time::Instant;

use eqprop_core::kernel::convolution::{Geometry, PackedConvolution, Pool, Pooled, Scratch};
use eqprop_core::kernel::epilogue::{Base, Epilogue, Rule};
use eqprop_core::kernel::outer::{self, Half, Pre};
use eqprop_core::kernel::simd::dispatch;
use eqprop_core::kernel::{Left, Right, ZeroPattern};
use pulp::{Simd, WithSimd};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Measures the peak: repeats as many independent vector multiply-adds as the registers of a processor hold.
struct Peak;

impl Peak {
    const STEPS: usize = 1 << 14;
    const SUMS: usize = 12;
}

impl WithSimd for Peak {
    /// Number of floating-point operations.
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let mut sums = [simd.splat_f32s(0.5); Self::SUMS];
        let (a, b) = (
            simd.splat_f32s(black_box(0.5)),
            simd.splat_f32s(black_box(0.25)),
        );
        for _ in 0..Self::STEPS {
            for sum in &mut sums {
                *sum = simd.mul_add_f32s(a, *sum, b);
            }
        }
        black_box(sums.map(|sum| simd.reduce_sum_f32s(sum)));
        (2 * Self::STEPS * Self::SUMS * S::F32_LANES) as f64
    }
}

/// Seconds for each measurement.
const SECONDS: f64 = 0.15;

/// The best of several runs, in calls per second.
fn rate(mut work: impl FnMut()) -> f64 {
    work();
    let (start, mut best) = (Instant::now(), f64::INFINITY);
    while start.elapsed().as_secs_f64() < SECONDS {
        let once = Instant::now();
        work();
        best = best.min(once.elapsed().as_secs_f64());
    }
    1.0 / best
}

fn numbers(n: usize, zeros: f64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(n as u64);
    let number = |_| match rng.random::<f64>() < zeros {
        true => 0.0,
        false => rng.random::<f32>() - 0.5,
    };
    (0..n).map(number).collect()
}

/// One line: the product, its shape, and GFLOP/s with one thread and with all, with their shares of the peak.
struct Table {
    peaks: [f64; 2],
    pools: [rayon::ThreadPool; 2],
}

impl Table {
    fn line(&self, what: &str, shape: &str, zeros: f64, flop: f64, work: impl Fn() + Sync) {
        let found = [0, 1].map(|index| {
            let rate = self.pools[index].install(|| rate(&work));
            let reached = rate * flop / 1e9;
            format!(
                "{reached:7.1} {:4.0} %",
                100.0 * reached / self.peaks[index]
            )
        });
        let zeros = format!("{:.0} %", 100.0 * zeros);
        println!(
            "{what:<22} {shape:<16} {zeros:>5}  {}  {}",
            found[0], found[1]
        );
    }

    /// Measures steps: the rows are divided among the threads, each of which uses all packed weights.
    fn step(&self, what: &str, [rows, depth, columns]: [usize; 3], zeros: f64) {
        let x = numbers(rows * depth, zeros);
        let base = numbers(rows * columns, 0.0);
        let right = Right::of_rows(&numbers(depth * columns, 0.0), depth, columns);
        let work = || {
            let part = rows.div_ceil(rayon::current_num_threads());
            let parts = x
                .par_chunks(part * depth)
                .zip(base.par_chunks(part * columns));
            parts.for_each_init(
                || (ZeroPattern::default(), vec![0.0; part * columns]),
                |(zeros, out), (x, base)| {
                    let n = x.len() / depth;
                    let starts: Vec<usize> = (0..n).map(|row| row * depth).collect();
                    let rule = Rule::Clip { bounds: [0.0, 1.0] };
                    let epilogue = Epilogue {
                        base: Base::Other(base),
                        rule,
                    };
                    let left = Left::matrix(x, &starts, depth);
                    right.multiply(left, epilogue, &mut out[..n * columns], columns, zeros);
                    black_box(out);
                },
            );
        };
        let flop = 2.0 * (rows * depth * columns) as f64;
        self.line(
            what,
            &format!("{rows}x{depth}x{columns}"),
            zeros,
            flop,
            work,
        );
    }

    /// Measures steps with large weights: the columns are divided among the threads, and the same packed weights
    /// serve both directions.
    fn divided(&self, [rows, n_in, n_out]: [usize; 3], zeros: f64) {
        let right = Right::of_rows(&numbers(n_in * n_out, 0.0), n_in, n_out);
        for is_back in [false, true] {
            let (depth, columns) = match is_back {
                false => (n_in, n_out),
                true => (n_out, n_in),
            };
            let x = numbers(rows * depth, zeros);
            let starts: Vec<usize> = (0..rows).map(|row| row * depth).collect();
            let left = Left::matrix(&x, &starts, depth);
            let n_threads = rayon::current_num_threads;
            let work = || {
                let mut out = vec![0.0; rows * columns];
                let place = (&mut out[..], columns);
                if is_back {
                    right.multiply_transposed(n_threads(), left, Epilogue::SET, place);
                } else {
                    let zeros = &mut ZeroPattern::default();
                    right.multiply_on(n_threads(), left, Epilogue::SET, place, zeros);
                }
                black_box(out);
            };
            let what = ["columns divided", "the same, back"][usize::from(is_back)];
            let flop = 2.0 * (rows * depth * columns) as f64;
            let shape = format!("{rows}x{depth}x{columns}");
            self.line(what, &shape, zeros, flop, work);
        }
    }

    fn clamp(&self, [rows, depth, columns]: [usize; 3], zeros: f64) {
        let (x, w) = (numbers(rows * depth, zeros), numbers(depth * columns, 0.0));
        let flop = 2.0 * (rows * depth * columns) as f64;
        let work = || drop(black_box(outer::product(&x, &w, [rows, depth, columns])));
        self.line(
            "clamp",
            &format!("{rows}x{depth}x{columns}"),
            zeros,
            flop,
            work,
        );
    }

    /// Measures the gradient of dense weights: written out, or added to the weights as it is formed.
    fn contrast(&self, [batch, n_in, n_out]: [usize; 3], zeros: f64, is_input: bool) {
        let [a, b] = [zeros, zeros].map(|zeros| numbers(batch * n_in, zeros));
        let [c, d] = [1, 2].map(|n| numbers(batch * n_out + n, 0.0)[n..].to_vec());
        let (pre, n) = match is_input {
            true => (Pre::Same(&a), 1.0),
            false => (Pre::Two(&a, &b), 2.0),
        };
        let (below, above) = outer::factors(&[Half::Difference, Half::Sum], pre, [&c, &d], 0.1);
        let below = below.as_deref().unwrap_or(&a);
        let flop = 2.0 * n * (batch * n_in * n_out) as f64;
        let (shape, of) = (format!("{batch}x{n_in}x{n_out}"), [n_in, n_out]);
        let formed = || drop(black_box(outer::product_over_rows(below, &above, of)));
        self.line("gradient", &shape, zeros, flop, formed);
        let weights = std::sync::Mutex::new(numbers(n_in * n_out, 0.0));
        let step = || {
            let mut weights = weights.lock().expect("one caller");
            outer::add_product_over_rows(1e-9, below, &above, of, &mut weights);
        };
        self.line("gradient and step", &shape, zeros, flop, step);
    }

    /// Measures both directions of a convolution with max pooling, as in `conv-mnist`.
    fn convolution(&self, input: [usize; 3], output: [usize; 3], batch: usize, zeros: f64) {
        let geometry = Geometry {
            input,
            output,
            kernel: 5,
            stride: 1,
            padding: 0,
            pool: Pool {
                size: 2,
                is_max: true,
            },
        };
        let kernel = numbers(25 * input[0] * output[0], 0.0);
        let packed = PackedConvolution::new([&kernel; 2], geometry);
        let [n_in, n_out] = [input, output].map(|maps| maps.iter().product::<usize>());
        let below = numbers(batch * n_in, zeros);
        let above = numbers(batch * n_out, zeros);
        let work = || {
            let part = batch.div_ceil(rayon::current_num_threads());
            let parts = below
                .par_chunks(part * n_in)
                .zip(above.par_chunks(part * n_out));
            parts.for_each_init(
                || {
                    (
                        Pooled::default(),
                        Scratch::default(),
                        vec![0.0; part * n_in],
                    )
                },
                |(pooled, scratch, out), (below, above)| {
                    pooled.is_current = false;
                    packed.forward(below, pooled, scratch);
                    packed.backward(above, pooled, &mut out[..below.len()], scratch);
                },
            );
        };
        let flop = (batch * packed.work()) as f64 * 2.0;
        let shape = format!("{batch}x{}->{}", input[0], output[0]);
        self.line("convolution", &shape, zeros, flop, work);
    }
}

fn main() {
    let pool = |n| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(n)
            .build()
            .expect("threads")
    };
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    let pools = [pool(1), pool(n_threads)];
    let peaks = [0, 1].map(|index| {
        let n = pools[index].current_num_threads();
        let all = || (0..n).into_par_iter().map(|_| dispatch(Peak)).sum::<f64>();
        pools[index].install(|| rate(|| _ = black_box(all())) * all() / 1e9)
    });
    let system = sysinfo::System::new_with_specifics(
        sysinfo::RefreshKind::nothing().with_cpu(sysinfo::CpuRefreshKind::nothing()),
    );
    let processor = system.cpus().first().map_or("", |cpu| cpu.brand());
    println!("{processor}");
    println!(
        "peak {:.1} GFLOP/s with 1 thread, {:.1} with {n_threads}\n",
        peaks[0], peaks[1]
    );
    println!(
        "{:<22} {:<16} {:>5}  {:>14}  {:>14}",
        "", "shape", "zeros", "1 thread", "all threads"
    );
    let table = Table { peaks, pools };
    for batch in [20, 128] {
        table.clamp([batch, 784, 500], 0.0);
        table.clamp([batch, 784, 500], 0.8);
        table.step("step 500-10", [batch, 500, 10], 0.4);
        table.step("step 10-500", [batch, 10, 500], 0.0);
        table.contrast([batch, 784, 500], 0.8, true);
        table.contrast([batch, 500, 10], 0.4, false);
        for zeros in [0.0, 0.4] {
            table.step("step 500-500", [batch, 500, 500], zeros);
        }
        table.contrast([batch, 500, 500], 0.4, false);
    }
    for batch in [16, 128] {
        table.clamp([batch, 784, 1024], 0.8);
        for zeros in [0.0, 0.4] {
            table.step("step 1024-1024", [batch, 1024, 1024], zeros);
            table.divided([batch, 1024, 1024], zeros);
        }
        table.contrast([batch, 1024, 1024], 0.4, false);
    }
    table.step("step 512-512", [64, 512, 512], 0.5);
    table.convolution([1, 28, 28], [32, 12, 12], 20, 0.8);
    table.convolution([32, 12, 12], [64, 4, 4], 20, 0.5);
}
