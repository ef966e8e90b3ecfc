//! The fast path as on other machines: with fewer threads or more, and with vectors of other widths.

use eqprop_core::activation::Activation;
use eqprop_core::connection::Pooling;
use eqprop_core::relaxation::Scheme;
use eqprop_testing::{Setup, assert_close, graph};
use rayon::ThreadPoolBuilder;

use super::{Output, SCHEMES, convolutional, list, relaxed};

#[test]
fn any_number_of_threads_relaxes_as_one_step_after_the_other() {
    let hard = Activation::HardSigmoid;
    // More weights than stay in a core's cache, so that each thread takes its examples all at once.
    let dense = graph(&[6, 400, 200, 5], hard, &[(0, 1), (1, 2), (2, 3)]);
    // Work for more than three threads each.
    let networks = [
        (dense, 67),
        (convolutional(hard, Pooling::Max(2)), 131),
        (convolutional(hard, Pooling::Average(2)), 131),
    ];
    for (config, batch) in networks {
        let relax = |setup: &Setup, stepwise| {
            let scheme = Scheme::Asynchronous;
            list(&relaxed(
                &config,
                setup,
                scheme,
                Output::Nudged,
                batch,
                stepwise,
            ))
        };
        let exact = relax(&Setup::double(), true);
        for n_threads in [1, 2, 3] {
            let found = on(n_threads, &|| relax(&Setup::single(), false));
            // Sums of 400 terms that add up to some tens in f32, seven times over.
            assert_close(&found, &exact, 5e-4, &format!("{n_threads} threads"));
        }
    }
}

/// For weights that no cache holds, threads divide the columns of each product instead of the examples.
#[test]
fn threads_divide_the_columns_of_large_weights() {
    // The products have tests of their own with vectors of other widths; unoptimized, this would take minutes.
    if std::env::var_os("EQPROP_LANES").is_some() {
        return;
    }
    let hard = Activation::HardSigmoid;
    let sizes = [3, 1000, 910, 1003, 5];
    let config = graph(&sizes, hard, &[(0, 1), (1, 2), (2, 3), (3, 4)]);
    for scheme in SCHEMES {
        let relax = |setup: &Setup, stepwise| {
            list(&relaxed(
                &config,
                setup,
                scheme,
                Output::Nudged,
                3,
                stepwise,
            ))
        };
        let exact = relax(&Setup::double(), true);
        let [alone, two, three] =
            [1, 2, 3].map(|n_threads| on(n_threads, &|| relax(&Setup::single(), false)));
        // Sums of 1000 terms that add up to some tens in f32, seven times over.
        assert_close(&two, &exact, 2e-3, &format!("{scheme:?}"));
        // Where examples are divided, other rows share a tile, and a product with zeros is summed in another
        // order.
        assert!(two == three && two != alone, "{scheme:?}");
    }
}

fn on(n_threads: usize, work: &(dyn Fn() -> Vec<f64> + Sync)) -> Vec<f64> {
    let pool = ThreadPoolBuilder::new().num_threads(n_threads).build();
    pool.expect("a few threads can be had").install(work)
}

/// Runs this file's siblings and the reference models once more, in a process for each vector width. The
/// width is respected only with debug assertions: a release build has no such switch.
#[cfg(debug_assertions)]
#[test]
fn relaxations_are_the_same_with_vectors_of_every_width() {
    const VARIABLE: &str = "EQPROP_LANES";
    if std::env::var_os(VARIABLE).is_some() {
        return;
    }
    for lanes in ["1", "4", "8", "16"] {
        let program = std::env::current_exe().expect("a running test has a file");
        let output = std::process::Command::new(program)
            .args(["fused::", "reference::", "properties::"])
            .env(VARIABLE, lanes)
            .output()
            .expect("it runs already");
        let report = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        if [&report, &errors]
            .iter()
            .any(|text| text.contains("no vectors of"))
        {
            println!("skipped: no vectors of {lanes} numbers here");
            continue;
        }
        assert!(output.status.success(), "{lanes} lanes:\n{report}");
    }
}
