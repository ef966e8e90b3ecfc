//! The same pictures in every format.

use super::*;

/// Writes pictures in a format, under `NAME`, and returns how they are to be read.
fn write(place: &Place, pictures: &Pictures, format: &str) -> DataFiles {
    let n = pictures.labels.len();
    let pixels = pictures.bytes();
    match format {
        "images" => {
            for (i, (pixels, label)) in pictures.pixels.iter().zip(&pictures.labels).enumerate() {
                place.gray(&format!("images/{label}/{i}.png"), [6, 5], pixels);
            }
            place.files("images")
        }
        "csv" => {
            let mut text = String::from("label");
            (0..30).for_each(|p| text += &format!(",pixel{p}"));
            for (pixels, label) in pictures.pixels.iter().zip(&pictures.labels) {
                text += &format!("\n{label}");
                pixels.iter().for_each(|pixel| text += &format!(",{pixel}"));
            }
            place.write("pixels.csv", text);
            DataFiles {
                image_size: Some([6, 5]),
                ..place.files("pixels.csv")
            }
        }
        "idx" => {
            let images = idx(8, &[pictures.len(), 6, 5], &pixels);
            place.write("idx/some-images-idx3-ubyte", images);
            let labels = idx(8, &[pictures.len()], &pictures.labels);
            place.write("idx/some-labels-idx1-ubyte", labels);
            place.files("idx")
        }
        "npy" => {
            let floats: Vec<f32> = pixels.iter().map(|&byte| f32::from(byte)).collect();
            let floats = super::floats(&floats);
            place.write("npy/X.npy", npy("<f4", &[n, 6, 5], &floats));
            let labels: Vec<u8> = pictures
                .labels
                .iter()
                .flat_map(|&label| i64::from(label).to_le_bytes())
                .collect();
            place.write("npy/y.npy", npy("<i8", &[n], &labels));
            place.files("npy")
        }
        "npz" => {
            let x = npy("|u1", &[n, 6, 5], &pixels);
            let y = npy("|u1", &[n], &pictures.labels);
            place.write("some.npz", npz(&[("x", x), ("y", y)], true));
            place.files("some.npz")
        }
        _ => {
            let arrays: [(&str, &str, &[usize], _); 2] = [
                ("images", "U8", &[n, 6, 5], pixels),
                ("labels", "U8", &[n], pictures.labels.clone()),
            ];
            place.write("some.safetensors", safetensors(&arrays));
            place.files("some.safetensors")
        }
    }
}

#[test]
fn the_same_pictures_are_the_same_data_in_every_format() {
    let place = Place::new();
    let pictures = Pictures::new(40, 4);
    let read = |format| write(&place, &pictures, format).look().unwrap();
    let first = read("images");
    assert_eq!(first.train.shape, [1, 6, 5]);
    assert_eq!((first.train.len(), first.test.len()), (32, 8));
    assert_eq!(found(&first).classes, ["0", "1", "2", "3"]);
    for format in ["csv", "idx", "npy", "npz", "safetensors"] {
        let other = read(format);
        assert_eq!(other.train, first.train, "{format}");
        assert_eq!(other.test, first.test, "{format}");
        assert_eq!(other.fingerprint(), first.fingerprint(), "{format}");
        let (mine, first) = (found(&other), found(&first));
        assert_eq!(mine.format.to_string(), format);
        assert_eq!(
            (&mine.mean, &mine.deviation),
            (&first.mean, &first.deviation)
        );
    }
    // Every pixel is its byte over 255, and belongs to its label.
    let whole = first.train.inputs.len() + first.test.inputs.len();
    assert_eq!(whole, 40 * 30);
    for i in 0..first.test.len() {
        let of = |pixels: &[u8; 30]| pixels.map(|byte| f32::from(byte) / 255.0);
        let place = pictures
            .pixels
            .iter()
            .position(|pixels| of(pixels) == *first.test.input(i));
        assert_eq!(first.test.labels[i], pictures.labels[place.unwrap()]);
    }
}

#[test]
fn what_was_found_is_enough_to_read_again_and_other_data_the_same_way() {
    let place = Place::new();
    for format in ["images", "csv", "idx", "npy", "npz", "safetensors"] {
        let files = write(&place, &Pictures::new(40, 4), format);
        let dataset = files.look().unwrap();
        let text = serde_json::to_string(&dataset.kind).unwrap();
        let source: DataSource = serde_json::from_str(&text).unwrap();
        assert_eq!(source, dataset.kind, "{format}");
        assert_eq!(Dataset::load(&source, None).unwrap(), dataset, "{format}");
    }
}

#[test]
fn cifar_records_have_one_label_or_two() {
    let place = Place::new();
    let record = |labels: &[u8], value: u8| {
        let pixels = (0..3072).map(|p| value.wrapping_add((p % 7) as u8));
        labels.iter().copied().chain(pixels).collect::<Vec<_>>()
    };
    let ten: Vec<_> = (0..10).flat_map(|i| record(&[i % 3], 10 * i)).collect();
    place.write("ten/data_batch_1.bin", &ten);
    place.write("ten/test_batch.bin", record(&[2], 9));
    let dataset = place.files("ten").look().unwrap();
    assert_eq!((dataset.train.len(), dataset.test.len()), (10, 1));
    assert_eq!(dataset.test.labels, [2]);
    assert_eq!(dataset.test.input(0)[..2], [9.0 / 255.0, 10.0 / 255.0]);
    assert_eq!(dataset.train.shape, [3, 32, 32]);

    let hundred: Vec<_> = (0..10).flat_map(|i| record(&[7, i % 3], 10 * i)).collect();
    place.write("hundred/train.bin", &hundred);
    place.write("hundred/test.bin", record(&[7, 1], 9));
    let dataset = place.files("hundred").look().unwrap();
    assert_eq!(dataset.test.labels, [1]);
    assert_eq!(dataset.test.input(0)[0], 9.0 / 255.0);
}

#[test]
fn images_in_color_stay_so_and_are_scaled_with_their_aspect() {
    let place = Place::new();
    for i in 0..8u8 {
        let color = image::Rgb([20 * i, 100, 255 - 20 * i]);
        let path = place.path(&format!("{}/{i}.png", ["up", "down"][usize::from(i % 2)]));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        RgbImage::from_fn(8, 4, |x, _| match x {
            0..4 => color,
            _ => image::Rgb([0, 0, 0]),
        })
        .save(path)
        .unwrap();
    }
    let dataset = place.files("").look().unwrap();
    assert_eq!(dataset.train.shape, [3, 4, 8]);
    assert_eq!(found(&dataset).classes, ["down", "up"]);
    let files = DataFiles {
        image_size: Some([8, 8]),
        channels: Some(1),
        ..place.files("")
    };
    let dataset = files.look().unwrap();
    assert_eq!(dataset.train.shape, [1, 8, 8]);
    // Two rows of ground above and below: the median of the border.
    let image = dataset.train.input(0);
    assert!(image[..16].iter().all(|&pixel| pixel == image[0]));
    assert!(image[16] > 0.0 && image[23] == 0.0);
}

#[test]
fn jpeg_images_are_read_beside_png() {
    let place = Place::new();
    for i in 0..8u8 {
        let image = GrayImage::from_fn(16, 16, |x, y| image::Luma([(16 * x + y) as u8 ^ (i * 8)]));
        let end = ["png", "jpg", "jpeg", "JPG"][usize::from(i % 4)];
        let path = place.path(&format!("{}/{i}.{end}", i / 4));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        image.save(path).unwrap();
    }
    let dataset = place.files("").look().unwrap();
    assert_eq!(dataset.train.shape, [1, 16, 16]);
    assert_eq!(dataset.train.len() + dataset.test.len(), 8);
}

#[test]
fn a_path_is_one_where_a_name_is_not() {
    let source = |text: &str| serde_json::from_str::<DataSource>(&format!("\"{text}\""));
    assert_eq!(source("kmnist").unwrap(), DatasetKind::Kmnist);
    assert_eq!(source("a/b").unwrap().files().unwrap().path, "a/b");
    assert_eq!(source("x.csv").unwrap().files().unwrap().path, "x.csv");
    let said = source("fashoin-mnist").unwrap_err().to_string();
    assert!(said.contains("unknown variant `fashoin-mnist`"), "{said}");
    let said = "no/such".parse::<DataSource>().unwrap_err().to_string();
    assert!(said.contains("no file or folder `no/such`"), "{said}");
}
