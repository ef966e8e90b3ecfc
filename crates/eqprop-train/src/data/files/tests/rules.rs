//! Splits, order, scaling and what names say.

use super::*;
use crate::data::Examples;

/// A table of two numbers and a class, of `n` examples that come class by class.
fn grouped(place: &Place, n: usize) -> DataFiles {
    let mut text = String::from("size,weight,kind\n");
    for i in 0..n {
        let class = ["pear", "apple", "plum"][3 * i / n];
        text += &format!("{}.5,{},{class}\n", i, 100 - i % 7);
    }
    place.write("fruit.csv", text);
    place.files("fruit.csv")
}

fn n_of(examples: &Examples, class: u8) -> usize {
    examples
        .labels
        .iter()
        .filter(|&&label| label == class)
        .count()
}

#[test]
fn a_test_part_is_taken_of_each_class_by_its_seed() {
    let place = Place::new();
    let files = grouped(&place, 90);
    let dataset = files.look().unwrap();
    assert_eq!((dataset.train.len(), dataset.test.len()), (72, 18));
    for class in 0..3 {
        assert_eq!(
            (n_of(&dataset.train, class), n_of(&dataset.test, class)),
            (24, 6)
        );
    }
    assert_eq!(found(&dataset).classes, ["apple", "pear", "plum"]);
    assert_eq!(files.look().unwrap(), dataset);
    let other = DataFiles {
        split_seed: 1,
        ..files.clone()
    };
    assert_ne!(other.look().unwrap().test, dataset.test);
    assert_ne!(other.look().unwrap().fingerprint(), dataset.fingerprint());
    let half = DataFiles {
        test_share: 0.5,
        ..files
    };
    assert_eq!(half.look().unwrap().test.len(), 45);
}

#[test]
fn examples_that_come_class_by_class_are_shuffled_and_others_stay() {
    let place = Place::new();
    let dataset = grouped(&place, 90).look().unwrap();
    let first = dataset.train.clone().take(24);
    assert!(
        (0..3).all(|class| n_of(&first, class) > 2),
        "{:?}",
        first.labels
    );

    let rows = (0..20).map(|i| format!("{i},{},{}\n", i * i, i % 2));
    let text = rows.collect::<String>();
    place.write("mixed/train.csv", &text);
    place.write("mixed/test.csv", &text);
    let files = DataFiles {
        scaling: Some(ScalingKind::None),
        ..place.files("mixed")
    };
    let dataset = files.look().unwrap();
    let first: Vec<f32> = dataset.train.inputs.iter().step_by(2).copied().collect();
    assert_eq!(first, (0..20).map(|i| i as f32).collect::<Vec<_>>());
    assert_eq!(dataset.test, dataset.train);
}

#[test]
fn a_table_is_scaled_by_its_training_part_alone() {
    let place = Place::new();
    place.write("t/train.csv", "a,b,y\n1,7,0\n3,7,1\n1,7,1\n3,7,0\n");
    place.write("t/test.csv", "a,b,y\n100,8,0\n2,9,1\n");
    let reading = place.files("t").read_as_new().unwrap();
    let dataset = reading.dataset;
    // Mean 2 and deviation 1; a column of one value becomes 0, in the test part too.
    assert_eq!(
        dataset.train.inputs,
        [-1.0, 0.0, 1.0, 0.0, -1.0, 0.0, 1.0, 0.0]
    );
    assert_eq!(dataset.test.inputs, [98.0, 0.0, 0.0, 0.0]);
    assert!(
        reading
            .notes
            .iter()
            .any(|note| note.contains("1 of 2 columns"))
    );
    // Changing the test part does not change the inputs of the training part.
    place.write("t/test.csv", "a,b,y\n-5,1,0\n");
    assert_eq!(place.files("t").look().unwrap().train, dataset.train);

    let range = DataFiles {
        scaling: Some(ScalingKind::Range),
        ..place.files("t")
    };
    let inputs = range.look().unwrap().train.inputs;
    assert_eq!(inputs[..2], [0.0, 1.0]);
}

#[test]
fn normalization_is_that_of_the_training_part() {
    let place = Place::new();
    let x = npy(
        "<f4",
        &[4, 1, 2],
        &floats(&[0.0, 1.0, 0.5, 0.5, 1.0, 0.0, 0.5, 0.5]),
    );
    let y = npy("|u1", &[4], &[0, 1, 1, 0]);
    let x_test = npy("<f4", &[1, 1, 2], &floats(&[1.0, 1.0]));
    let y_test = npy("|u1", &[1], &[0]);
    let arrays = [
        ("x_train", x),
        ("y_train", y),
        ("x_test", x_test),
        ("y_test", y_test),
    ];
    place.write("a.npz", npz(&arrays, false));
    let dataset = place.files("a.npz").look().unwrap();
    let (mean, deviation) = dataset.kind.normalization();
    assert_eq!(mean, [0.5]);
    assert_eq!(deviation, [0.125f32.sqrt()]);
}

#[test]
fn the_class_is_in_the_column_that_is_named_or_called_so_or_the_last() {
    let place = Place::new();
    let classes = |text: &str, target: Option<&str>| {
        place.write("t.csv", text);
        let files = DataFiles {
            target: target.map(String::from),
            ..place.files("t.csv")
        };
        let dataset = files.look().unwrap();
        (
            found(&dataset).classes.clone(),
            found(&dataset).columns.clone(),
        )
    };
    let rows = "1,5,a\n2,6,b\n1,6,a\n2,5,b\n";
    let (names, columns) = classes(rows, None);
    assert_eq!(
        (names, columns),
        (vec!["a".into(), "b".into()], vec!["1".into(), "2".into()])
    );
    let numbers = rows.replace('a', "7.5").replace('b', "8");
    assert_eq!(classes(&numbers, Some("1")).0, ["1", "2"]);
    let (names, columns) = classes(&format!("u,Label,v\n{numbers}"), None);
    assert_eq!(
        (names, columns),
        (vec!["5".into(), "6".into()], vec!["u".into(), "v".into()])
    );
    let (names, columns) = classes(&format!("u,label,v\n{numbers}"), Some("U"));
    assert_eq!(
        (names, columns),
        (
            vec!["1".into(), "2".into()],
            vec!["label".into(), "v".into()]
        )
    );
    // What numbers the lines is no input.
    let (_, columns) = classes("id;u;y\n1;0.5;0\n2;3;1\n3;4;0\n4;5;1\n", None);
    assert_eq!(columns, ["u"]);
}

#[test]
fn classes_are_in_the_order_of_their_numbers_or_letters() {
    let place = Place::new();
    let classes = |labels: [&str; 3]| {
        let rows = (0..12).map(|i| format!("{i}.5,{}\n", labels[i % 3]));
        place.write("t.csv", rows.collect::<String>());
        found(&place.files("t.csv").look().unwrap()).classes.clone()
    };
    assert_eq!(classes(["10", "9", "1"]), ["1", "9", "10"]);
    assert_eq!(classes(["10.0", "9.0", "1e0"]), ["1", "9", "10"]);
    assert_eq!(classes(["b", "10", "a"]), ["10", "a", "b"]);
    // Columns that are numbered have names all the same.
    place.write("t.csv", "0,1,label\n5,6,7\n7,8,9\n6,6,7\n7,7,9\n");
    assert_eq!(
        found(&place.files("t.csv").look().unwrap()).columns,
        ["0", "1"]
    );
}

#[test]
fn a_validation_part_is_the_end_of_the_training_part_or_the_test_part() {
    let place = Place::new();
    let part = |n: usize| {
        let rows = (0..n).map(|i| format!("{i}.25,{}\n", i % 2));
        rows.collect::<String>()
    };
    place.write("t/train.csv", part(20));
    place.write("t/val.csv", part(6));
    let dataset = place.files("t").look().unwrap();
    assert_eq!((dataset.train.len(), dataset.test.len()), (20, 6));
    place.write("t/test.csv", part(4));
    let dataset = place.files("t").look().unwrap();
    assert_eq!((dataset.train.len(), dataset.test.len()), (26, 4));

    // Class by class, so that the training part is shuffled; the validation part, whose name comes first
    // and whose numbers are others, is still the end, and has no share in the scaling.
    let part = |n: usize, from: usize| {
        let rows = (0..n).map(|i| format!("{}.5,{}\n", from + i, 2 * i / n));
        rows.collect::<String>()
    };
    place.write("u/a-val.csv", part(6, 1000));
    place.write("u/train.csv", part(20, 0));
    place.write("u/test.csv", part(4, 0));
    let dataset = place.files("u").look().unwrap();
    let Scaling::Standard { mean, deviation } = &found(&dataset).scaling else {
        panic!("a table");
    };
    assert_eq!(mean, &[10.0]);
    let (_, validation) = dataset.train.clone().split_tail(6);
    let values = validation.inputs.iter().map(|x| x * deviation[0] + 10.0);
    for (i, value) in values.enumerate() {
        assert!((value - (1000.5 + i as f32)).abs() < 0.01, "{value}");
    }
    assert_eq!(validation.labels, [0, 0, 0, 1, 1, 1]);
}

#[test]
fn rows_of_bytes_are_images_where_they_make_a_square_or_their_size_is_named() {
    let place = Place::new();
    let table = |n: usize, most: u8| {
        let row = |i: usize| {
            let cells = (0..n).map(|p| ((i * 37 + p * 11) % (usize::from(most) + 1)).to_string());
            let cells: Vec<_> = cells.chain([(i % 2).to_string()]).collect();
            cells.join(",") + "\n"
        };
        place.write("t.csv", (0..10).map(row).collect::<String>());
        place.files("t.csv")
    };
    let dataset = table(16, 255).look().unwrap();
    assert_eq!(
        (dataset.train.shape, &found(&dataset).scaling),
        ([1, 4, 4], &Scaling::Bytes)
    );
    // Neither ages nor digits of 17 levels are bytes.
    for files in [table(16, 100), table(15, 255)] {
        let dataset = files.look().unwrap();
        assert_eq!(dataset.train.shape[..2], [1, 1]);
        assert_eq!(found(&dataset).scaling.kind(), ScalingKind::Standard);
    }
    let color = DataFiles {
        image_size: Some([2, 5]),
        ..table(30, 255)
    };
    assert_eq!(color.look().unwrap().train.shape, [3, 2, 5]);
}

#[test]
fn inputs_alone_are_read_as_in_the_training() {
    let place = Place::new();
    place.write("t/train.csv", "a,b,y\n1,7,0\n3,9,1\n1,9,1\n3,7,0\n");
    place.write("t/test.csv", "a,b,y\n2,8,0\n");
    let dataset = place.files("t").look().unwrap();
    let files = dataset.kind.files().unwrap();
    let read = |text: &str| {
        place.write("new.csv", text);
        files.read_inputs(&place.path("new.csv"))
    };
    // In another order, without a class or with one.
    assert_eq!(read("b,a\n7,3\n").unwrap(), [1.0, -1.0]);
    assert_eq!(read("a,b,y\n3,7,1\n").unwrap(), [1.0, -1.0]);
    assert_eq!(read("3,7\n1,7\n").unwrap(), [1.0, -1.0, -1.0, -1.0]);
    assert_eq!(read("3,7,1\n1,7,0\n").unwrap(), [1.0, -1.0, -1.0, -1.0]);
    for (text, expected) in [
        ("a,c\n1,2\n", "no column `b`"),
        ("1,2,3,4\n", "the shape 1x1x4, but 1x1x2"),
        ("a,b\n1,\n", "lacks 1 values"),
    ] {
        let said = read(text).unwrap_err().to_string();
        assert!(said.contains(expected), "{expected:?} is not in: {said}");
    }
    let array = npy("<f8", &[1, 2], &[3f64, 7.0].map(f64::to_le_bytes).concat());
    place.write("new.npy", array);
    assert_eq!(
        files.read_inputs(&place.path("new.npy")).unwrap(),
        [1.0, -1.0]
    );
}
