//! Draws examples of each class as one picture.

use std::io::Cursor;

use anyhow::Result;
use eqprop_train::data::{Dataset, Examples};
use image::{ImageFormat, Rgb, RgbImage};

/// Number of examples shown per class.
const COLUMNS: usize = 12;
/// The most classes shown.
const MOST_ROWS: usize = 40;
/// Approximate pixels along the longer side of an example.
const SIDE: usize = 48;
/// Numbers of a table row per line of the picture.
const ACROSS: usize = 32;
/// Pixels between two examples.
const GAP: usize = 4;
const GROUND: Rgb<u8> = Rgb([64, 64, 80]);

/// Number of groups of examples with a quantity, from the lowest tenth to the highest.
const TENTHS: usize = 10;

/// Draws the first training examples of each class, one row per class, as a PNG image: black is the smallest
/// input, white the largest. Rows of a table are drawn in several lines. For quantities, examples are grouped
/// into tenths by their first quantity; for labels, there is one row per label.
pub fn png(dataset: &Dataset) -> Result<Vec<u8>> {
    let train = &dataset.train;
    let (shape, groups) = (train.shape, groups(train));
    let [_, height, width] = shown_shape(shape);
    let zoom = (SIDE / height.max(width)).max(1);
    // Larger examples are sampled at every `step`-th pixel.
    let step = height.max(width).div_ceil(4 * SIDE);
    let size = |length: usize| length.div_ceil(step) * zoom;
    let (cell_height, cell_width) = (size(height), size(width));
    let along = |n: usize, length: usize| (GAP + n * (length + GAP)) as u32;
    let mut picture = RgbImage::from_pixel(
        along(COLUMNS, cell_width),
        along(groups.len(), cell_height),
        GROUND,
    );
    let range = range(train);
    for (class, indices) in groups.into_iter().enumerate() {
        for (column, index) in indices.into_iter().take(COLUMNS).enumerate() {
            let input = train.input(index);
            let (left, top) = (along(column, cell_width), along(class, cell_height));
            for row in 0..cell_height {
                for along in 0..cell_width {
                    let place = [row / zoom * step, along / zoom * step];
                    let color = color(input, shape, place, range);
                    picture.put_pixel(left + along as u32, top + row as u32, color);
                }
            }
        }
    }
    let mut bytes = Vec::new();
    picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)?;
    Ok(bytes)
}

/// Returns the examples of each row.
fn groups(train: &Examples) -> Vec<Vec<usize>> {
    let all = 0..train.len();
    let Some(targets) = &train.targets else {
        let of_class = |class: usize| {
            let indices = all.clone();
            let indices = indices.filter(|&i| usize::from(train.labels[i]) == class);
            indices.collect()
        };
        return (0..train.n_classes.min(MOST_ROWS)).map(of_class).collect();
    };
    if let Some(names) = targets.kind.labels() {
        let with_label = |label: usize| {
            let indices = all.clone();
            let indices = indices.filter(|&i| train.label_set(i).contains(&label));
            indices.collect()
        };
        return (0..names.len().min(MOST_ROWS)).map(with_label).collect();
    }
    let first = |i: &usize| targets.row(*i)[0];
    let mut ranked: Vec<usize> = all.collect();
    ranked.sort_by(|a, b| first(a).total_cmp(&first(b)));
    let size = ranked.len().div_ceil(TENTHS).max(1);
    ranked.chunks(size).map(<[usize]>::to_vec).collect()
}

/// Returns channels, height and width as shown: a row of numbers is drawn in several lines.
fn shown_shape([channels, height, width]: [usize; 3]) -> [usize; 3] {
    match [channels, height] {
        [1, 1] => [1, width.div_ceil(ACROSS), width.min(ACROSS)],
        _ => [channels, height, width],
    }
}

/// Returns the color at a position of a shown example.
fn color(input: &[f32], shape: [usize; 3], place: [usize; 2], range: [f32; 2]) -> Rgb<u8> {
    let [row, column] = place;
    let [channels, height, width] = shape;
    let [_, _, shown_width] = shown_shape(shape);
    let pixel = row * shown_width + column;
    let value = |channel: usize| {
        let value = input.get(channel * height * width + pixel);
        value.filter(|_| pixel < height * width).copied()
    };
    let byte = |value: f32| {
        let [least, most] = range;
        let share = if most > least {
            (value - least) / (most - least)
        } else {
            0.0
        };
        (255.0 * share).round().clamp(0.0, 255.0) as u8
    };
    let channels = match channels {
        3 => [0, 1, 2].map(value),
        // If the channels are not colors, the first one is shown.
        _ => [value(0); 3],
    };
    match channels {
        [Some(red), Some(green), Some(blue)] => Rgb([red, green, blue].map(byte)),
        _ => GROUND,
    }
}

/// Returns the smallest and the largest input.
fn range(examples: &Examples) -> [f32; 2] {
    let inputs = examples.inputs.iter().copied();
    [
        inputs.clone().fold(f32::INFINITY, f32::min),
        inputs.fold(f32::NEG_INFINITY, f32::max),
    ]
}
