//! Draft.
use eqprop_bench::baseline::FeedforwardBackprop;
use eqprop_bench::fidelity;
use eqprop_core::cost::AnyCost;
use eqprop_train::prelude::*;

type Network = EquilibriumNetwork<AnyField, AnyCost>;

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let depth: usize = args[1].parse()?;
    let mut config = Preset::PcnMnist.config();
    let hidden = format!("{:?}", vec![128; depth]);
    let rates = format!("{:?}", vec![args[3].parse::<f64>()?; depth + 1]);
    let steps = args[2].clone();
    let mut overrides = vec![
        ("dataset".to_string(), "digits".to_string()),
        ("hidden".into(), hidden),
        ("batch_size".into(), "16".into()),
        ("learning_rates".into(), rates),
        ("nudged_steps".into(), steps),
        ("epochs".into(), "5".into()),
    ];
    for pair in args[4..].chunks(2) {
        overrides.push((pair[0].clone(), pair[1].clone()));
    }
    let skips: Vec<_> = (1..depth)
        .map(|k| format!(r#"{{"from": {k}, "to": {}, "kind": "identity"}}"#, k + 1))
        .collect();
    if std::env::var("SKIPS").is_ok() {
        overrides.push(("skips".into(), format!("[{}]", skips.join(", "))));
    }
    for (key, value) in overrides {
        config = config.with_override(&key, &value)?;
    }
    let (digits, device) = (Dataset::load(DatasetKind::Digits, None)?, Device::default());
    let batches = BatchLoader::new(&digits.train, 256, Order::Sequential, &device);
    let batch = batches.iter().next().expect("there are digits")?;
    let start = std::time::Instant::now();
    println!("{:?}", cosines(&config, &config.network(&device), &batch));
    let mut eqprop = Training::new(config.clone(), &digits, &device)?;
    while !eqprop.is_finished() {
        let go_on = |_| std::ops::ControlFlow::Continue(());
        let record = match eqprop.run_epoch(go_on) {
            Ok(record) => record.expect("nothing interrupts it"),
            Err(error) => {
                println!("{error}");
                break;
            }
        };
        println!(
            "{:.1} s: error {:.4} cost {}",
            start.elapsed().as_secs_f64(),
            record.held_out_error(),
            record.train_cost
        );
        println!("{:?}", cosines(&config, &eqprop.learner().network, &batch));
    }
    Ok(())
}

fn cosines(config: &TrainingConfig, network: &Network, batch: &Batch) -> Vec<String> {
    let estimate = config.estimator().estimate(network, batch, None).gradients;
    let exact = FeedforwardBackprop.estimate(network, batch, None).gradients;
    let comparison = fidelity::compare(network, &estimate, &exact);
    let parameters = comparison.parameters.iter();
    let weights: Vec<_> = parameters
        .filter(|(path, _)| path.ends_with("weight"))
        .collect();
    let n = weights.len();
    let shown = [0, 1, n / 4, n / 2, 3 * n / 4, n - 1];
    shown
        .map(|i| format!("{}: {:.4}", i, weights[i].1.cosine))
        .to_vec()
}
