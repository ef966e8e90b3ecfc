//! Shows how the contrast of two states would change the weights of the input.

use burn::tensor::Tensor;
use eqprop_core::gradients::Gradients;
use eqprop_core::parameters::parameters_with;
use serde_json::{Value, json};

use super::watched::Watched;

/// Draws the weights from the input to some units as pictures: to the units whose weights `gradients` would
/// change most, together with the change, or to the first units. Empty if the input's weights are neither a
/// matrix nor a kernel.
pub fn pictures(watched: &Watched, gradients: &Gradients) -> Value {
    let [channels, height, width] = watched.shape();
    let n_inputs = channels * height * width;
    let all = parameters_with(&watched.run.learner.network.energy, gradients);
    let Some((weights, change)) = all.into_iter().find(|(found, _)| found.rank >= 2) else {
        return json!([]);
    };
    let n = weights.values.dims()[0];
    let read = |values: Tensor<1>| values.into_data().iter::<f32>().collect::<Vec<_>>();
    let is_kernel = weights.rank == 4;
    // A resistive network has each input twice, the second time with the opposite sign.
    let n_copies = 1 + usize::from(weights.path.ends_with("conductance"));
    let values = read(weights.values);
    let change = change.map(read);

    // One picture per unit; its weights are contiguous in a kernel, and form a column in a matrix.
    let of_kernel = kernel(watched);
    let (n_units, size) = match (is_kernel, of_kernel) {
        (true, Some([n_units, size])) if n == n_units * channels * size * size => {
            (n_units, [size, size])
        }
        (false, _) if n.is_multiple_of(n_copies * n_inputs) => {
            (n / n_copies / n_inputs, [height, width])
        }
        _ => return json!([]),
    };
    let n_pixels = size[0] * size[1];
    let picture = |values: &[f32], unit: usize| -> Vec<f32> {
        let weight = |channel: usize, pixel: usize| match is_kernel {
            true => values[(unit * channels + channel) * n_pixels + pixel],
            false => {
                let of_copy = |copy| {
                    values[((copy * channels + channel) * n_pixels + pixel) * n_units + unit]
                };
                (1..n_copies).fold(of_copy(0), |weight, copy| weight - of_copy(copy))
            }
        };
        let mean = |pixel| {
            let sum: f32 = (0..channels).map(|channel| weight(channel, pixel)).sum();
            sum / channels as f32
        };
        (0..n_pixels).map(mean).collect()
    };
    let mut units: Vec<(usize, Option<Vec<f32>>)> = (0..n_units)
        .map(|unit| (unit, change.as_deref().map(|change| picture(change, unit))))
        .collect();
    if change.is_some() {
        let size = |(_, change): &(usize, Option<Vec<f32>>)| -> f32 {
            change.iter().flatten().map(|value| value * value).sum()
        };
        units.sort_by(|a, b| size(b).total_cmp(&size(a)));
    }
    let units = units
        .into_iter()
        .take(watched.n_pictures())
        .map(|(unit, change)| {
            // A descent step goes against the gradient.
            let change =
                change.map(|change| change.into_iter().map(|value| -value).collect::<Vec<_>>());
            json!({
                "unit": unit,
                "size": size,
                "weights": picture(&values, unit),
                "change": change,
            })
        });
    units.collect()
}

/// Returns the number of feature maps and the size of the kernel connected to the input.
fn kernel(watched: &Watched) -> Option<[usize; 2]> {
    use eqprop_core::connection::ConnectionKind;

    let graph = watched.run.config.energy();
    let first = graph.connections.iter().find(|found| found.from == 0)?;
    let ConnectionKind::Convolution(kind) = first.kind else {
        return None;
    };
    let [n_maps, ..] = graph.layers.get(first.to - 1)?.shape.maps()?;
    Some([n_maps, kind.kernel])
}
