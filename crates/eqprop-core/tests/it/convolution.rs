//! The two directions of a convolution: adjoint to each other, and of the shape that is promised.

use burn::tensor::Tensor;
use burn::tensor::module::{avg_pool2d, conv2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use eqprop_core::activation::Activation;
use eqprop_core::connection::{ConnectionKind, ConvolutionConfig, Pooling, PreparedConnection};
use eqprop_core::cost::AnyCost;
use eqprop_core::energy::{HopfieldEnergyConfig, LayerConfig, TotalEnergy, VectorField};
use eqprop_core::state::State;
use eqprop_testing::{Numbers, Setup, assert_close, filled, joined, values};
use proptest::prelude::*;

use crate::devices;

/// A convolution between maps of these shapes, with this kernel.
fn operator(
    convolution: ConvolutionConfig,
    input: [usize; 3],
    channels: usize,
    setup: &Setup,
    kernel: Vec<f64>,
) -> PreparedConnection {
    let [rows, columns] = convolution.output([input[1], input[2]]).expect("it fits");
    let output = LayerConfig::new([channels, rows, columns], Activation::Identity);
    let kind = ConnectionKind::Convolution(convolution);
    let config = HopfieldEnergyConfig::new(input.into(), vec![output], vec![joined(0, 1, kind)]);
    let connection = config.init(&setup.device).connections.swap_remove(0);
    filled(connection, setup, |_| kernel.clone()).prepare()
}

/// A convolution with maps that it fits.
#[derive(Debug, Clone)]
struct Case {
    convolution: ConvolutionConfig,
    input: [usize; 3],
    output: [usize; 3],
    seed: u64,
}

fn any_convolution() -> impl Strategy<Value = ConvolutionConfig> {
    let pooling = prop_oneof![
        Just(Pooling::None),
        (1..4_usize).prop_map(Pooling::Max),
        (1..4_usize).prop_map(Pooling::Average),
    ];
    (1..5_usize, 1..4_usize, 0..4_usize, pooling).prop_map(|(kernel, stride, padding, pooling)| {
        ConvolutionConfig {
            kernel,
            stride,
            padding,
            pooling,
        }
    })
}

/// A convolution, the size of its result, and the number of rows and columns that the stride leaves.
fn any_case() -> impl Strategy<Value = Case> {
    let channels = [1..4_usize, 1..4_usize];
    let size = [1..4_usize, 1..4_usize];
    let rest = [0..3_usize, 0..3_usize];
    (any_convolution(), channels, size, rest, any::<u64>()).prop_filter_map(
        "the padding alone is larger than the maps",
        |(convolution, channels, size, rest, seed)| {
            let ConvolutionConfig {
                kernel,
                stride,
                padding,
                pooling,
            } = convolution;
            let pool = match pooling {
                Pooling::None => 1,
                Pooling::Max(n) | Pooling::Average(n) => n,
            };
            let input = |axis: usize| {
                let steps = size[axis] * pool - 1;
                let padded = steps * stride + kernel + rest[axis] % stride;
                padded.checked_sub(2 * padding).filter(|&n| n > 0)
            };
            Some(Case {
                convolution,
                input: [channels[0], input(0)?, input(1)?],
                output: [channels[1], size[0], size[1]],
                seed,
            })
        },
    )
}

proptest! {
    // The same cases in every run: CI is no place for new ones. To look for some, raise `cases`
    // and change the seed.
    #![proptest_config(ProptestConfig {
        cases: 256,
        rng_seed: proptest::test_runner::RngSeed::Fixed(0),
        ..ProptestConfig::default()
    })]

    /// `⟨post, f(pre)⟩ = ⟨fᵀ(post), pre⟩`, with the stride leaving rows or not.
    #[test]
    fn the_transposed_path_is_the_exact_adjoint(case in any_case()) {
        let Case { convolution, input, output, seed } = case;
        let [height, width] = [input[1], input[2]];
        prop_assert_eq!(convolution.output([height, width]), Some([output[1], output[2]]));
        let setup = Setup::double();
        let mut numbers = Numbers(seed);
        let n_weights = output[0] * input[0] * convolution.kernel.pow(2);
        let kernel = numbers.list(n_weights, -1.0, 1.0);
        let operator = operator(convolution, input, output[0], &setup, kernel);
        let batch = 2;
        let n_units = |maps: [usize; 3]| maps.iter().product::<usize>();
        let pre = numbers.matrix(&setup, [batch, n_units(input)], -1.0, 1.0);
        let post = numbers.matrix(&setup, [batch, n_units(output)], -1.0, 1.0);
        let dot = |a: Tensor<2>, b: &Tensor<2>| (a * b.clone()).sum().into_scalar::<f64>();
        let forward = dot(operator.forward(pre.clone()), &post);
        let backward = dot(operator.backward(post.clone(), &pre), &pre);
        // Some thousand products of numbers below 1, each rounded by 1e-16.
        prop_assert!((forward - backward).abs() < 1e-11, "{forward} and {backward}");
        // What is compared is not nothing, unless a kernel of one weight sees the padding alone.
        prop_assert!(forward.abs() > 1e-6 || convolution.padding >= convolution.kernel);
    }

    /// The shape is that of Burn's operations; a kernel that does not fit and windows that do not tile
    /// have none.
    #[test]
    fn the_output_has_the_shape_of_burns_convolution_and_pooling(
        convolution in any_convolution(),
        size in [1..12_usize, 1..12_usize],
    ) {
        let ConvolutionConfig { kernel, stride, padding, pooling } = convolution;
        let places = |n: usize| {
            let starts = (0..).map(|step| step * stride);
            starts.take_while(|start| start + kernel <= n + 2 * padding).count()
        };
        let places = size.map(places);
        if places.contains(&0) {
            prop_assert_eq!(convolution.output(size), None);
            return Ok(());
        }
        let device = Setup::double().device;
        let maps = Tensor::<4>::ones([1, 1, size[0], size[1]], &device);
        let weight = Tensor::<4>::ones([1, 1, kernel, kernel], &device);
        let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
        let convolved = conv2d(maps, weight, None, options);
        prop_assert_eq!(convolved.dims(), [1, 1, places[0], places[1]]);
        let pool = match pooling {
            Pooling::None => 1,
            Pooling::Max(n) | Pooling::Average(n) => n,
        };
        if places.iter().any(|places| places % pool != 0) {
            prop_assert_eq!(convolution.output(size), None);
            return Ok(());
        }
        let pooled = match pooling {
            Pooling::None => convolved,
            Pooling::Max(n) => max_pool2d(convolved, MaxPoolOptions::new([n; 2])),
            Pooling::Average(n) => avg_pool2d(convolved, AvgPoolOptions::new([n; 2])),
        };
        let [_, _, rows, columns] = pooled.dims();
        prop_assert_eq!(convolution.output(size), Some([rows, columns]));
    }
}

#[test]
fn a_convolution_of_nothing_has_no_output() {
    let valid = ConvolutionConfig::new(2);
    assert_eq!(valid.output([4, 4]), Some([3, 3]));
    for invalid in [
        ConvolutionConfig::new(0),
        valid.with_stride(0),
        valid.with_pooling(Pooling::Max(0)),
        valid.with_pooling(Pooling::Average(0)),
        // Rows and columns with the padding would wrap to 2, and to a padding that fits.
        valid.with_padding(usize::MAX),
        valid.with_padding(usize::MAX / 2),
    ] {
        assert_eq!(invalid.output([4, 4]), None, "{invalid:?}");
    }
}

/// Maps of 4 by 4 with known winners, through a kernel of one weight.
#[test]
fn pooling_takes_and_gives_back_as_its_name_says() {
    #[rustfmt::skip]
    let pre = vec![
        1.0, 2.0,   5.0, 3.0,
        4.0, 3.0,   2.0, 1.0,

        0.0, 1.0,   2.0, 2.5,
        8.0, 9.0,   7.0, 1.5,
    ];
    let post = vec![10.0, 20.0, 30.0, 40.0];
    #[rustfmt::skip]
    let to_winners = |[a, b, c, d]: [f64; 4]| vec![
        0.0, 0.0,   b,   0.0,
        a,   0.0,   0.0, 0.0,

        0.0, 0.0,   0.0, 0.0,
        0.0, c,     d,   0.0,
    ];
    #[rustfmt::skip]
    let to_losers = |[a, b, c, d]: [f64; 4]| vec![
        a,   0.0,   0.0, 0.0,
        0.0, 0.0,   0.0, b,

        c,   0.0,   0.0, 0.0,
        0.0, 0.0,   0.0, d,
    ];
    #[rustfmt::skip]
    let to_all = |[a, b, c, d]: [f64; 4]| vec![
        a, a,   b, b,
        a, a,   b, b,

        c, c,   d, d,
        c, c,   d, d,
    ];
    for (pooling, weight, forward, backward) in [
        (
            Pooling::Max(2),
            2.0,
            [8.0, 10.0, 18.0, 14.0],
            to_winners([20.0, 40.0, 60.0, 80.0]),
        ),
        // A negative weight turns the order round.
        (
            Pooling::Max(2),
            -1.0,
            [-1.0, -1.0, 0.0, -1.5],
            to_losers([-10.0, -20.0, -30.0, -40.0]),
        ),
        (
            Pooling::Average(2),
            2.0,
            [5.0, 5.5, 9.0, 6.5],
            to_all([5.0, 10.0, 15.0, 20.0]),
        ),
    ] {
        for setup in devices::all() {
            let convolution = ConvolutionConfig::new(1).with_pooling(pooling);
            let operator = operator(convolution, [1, 4, 4], 1, &setup, vec![weight]);
            let pre = setup.tensor(pre.clone(), [1, 16]);
            let post = setup.tensor(post.clone(), [1, 4]);
            let what = format!("{pooling:?}, {}", setup.name);
            // Every number is exact.
            let found = values(&operator.forward(pre.clone()));
            assert_close(&found, &forward, 0.0, &what);
            let found = values(&operator.backward(post, &pre));
            assert_close(&found, &backward, 0.0, &what);
        }
    }
}

/// A kernel of 2 in steps of 3 over 5 rows and 4 columns starts in rows 0 and 3 and in column 0.
#[test]
fn nothing_comes_back_to_what_no_kernel_reaches() {
    #[rustfmt::skip]
    let expected = [
        1.0, 2.0,   0.0, 0.0,
        3.0, 4.0,   0.0, 0.0,

        0.0, 0.0,   0.0, 0.0,

        10.0, 20.0, 0.0, 0.0,
        30.0, 40.0, 0.0, 0.0,
    ];
    for setup in devices::all() {
        let convolution = ConvolutionConfig::new(2).with_stride(3);
        let kernel = vec![1.0, 2.0, 3.0, 4.0];
        let operator = operator(convolution, [1, 5, 4], 1, &setup, kernel);
        let pre = setup.tensor(vec![0.5; 20], [1, 20]);
        let post = setup.tensor(vec![1.0, 10.0], [1, 2]);
        // Every number is exact.
        let found = values(&operator.backward(post, &pre));
        assert_close(&found, &expected, 0.0, setup.name);
    }
}

/// A unit that wins moves away from the loss its win brings, and another one wins: with `−1` above
/// maps of 2 by 2, `E = ½|s|² − b·s + max(s)`.
#[test]
fn max_pooling_into_negative_values_can_raise_the_energy() {
    let setup = Setup::double();
    let kind = ConnectionKind::Convolution(ConvolutionConfig::new(1).with_pooling(Pooling::Max(2)));
    let layers = [[1, 2, 2], [1, 1, 1]].map(|maps| LayerConfig::new(maps, Activation::Identity));
    let connections = vec![joined(0, 1, ConnectionKind::Identity), joined(1, 2, kind)];
    let config = HopfieldEnergyConfig::new([1, 2, 2].into(), layers.to_vec(), connections);
    let mut kernel_then_biases = [1.0, 0.0, 0.0].into_iter();
    let energy = filled(config.init(&setup.device), &setup, |_| {
        vec![kernel_then_biases.next().expect("a number each")]
    });
    let input = setup.tensor(vec![0.5, 0.4, 0.0, 0.0], [1, 4]);
    let clamped = energy.clamp(&input);
    let total = TotalEnergy::<_, AnyCost>::free(&energy, &clamped);
    for (above, rise) in [(1.0, -0.5), (-1.0, 0.4)] {
        let mut state = State::new(vec![input.clone(), setup.number(above)]);
        let before = values(&total.value(&state));
        state.set(0, total.minimize(0, &state));
        let after = values(&total.value(&state));
        assert_close(&[after[0] - before[0]], &[rise], 1e-12, "rise");
    }
}
