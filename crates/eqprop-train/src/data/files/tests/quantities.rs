//! Targets that are quantities, and how they are told from classes.

use super::*;
use crate::data::{Examples, Quantities};

/// Rows of two inputs and two quantities that are all different, and in no order.
fn rows(n: usize) -> Vec<[f32; 4]> {
    let row = |i: usize| {
        let [a, b, c] = [7, 11, 13].map(|step| ((i * step) % n) as f32 / n as f32);
        [a, b, 100.0 + 3.5 * c, 0.5 - b]
    };
    (0..n).map(row).collect()
}

fn table(names: &str, rows: &[[f32; 4]]) -> String {
    let line = |row: &[f32; 4]| row.map(|x| x.to_string()).join(",") + "\n";
    let lines: String = rows.iter().map(line).collect();
    format!("{names}\n{lines}")
}

fn of(place: &Place, text: &str, target: &str, task: Option<Task>) -> DataFiles {
    place.write("a.csv", text);
    DataFiles {
        target: (!target.is_empty()).then(|| target.into()),
        task,
        ..place.files("a.csv")
    }
}

fn quantities(dataset: &Dataset) -> &Quantities {
    let quantities = found(dataset).quantities.as_ref();
    quantities.expect("they were taken for classes")
}

/// The quantities of all examples in their own units.
fn values(examples: &Examples) -> Vec<Vec<f64>> {
    (0..examples.len())
        .map(|i| examples.quantities(i))
        .collect()
}

#[test]
fn several_columns_are_quantities_that_are_scaled_by_the_training_part() {
    let place = Place::new();
    let text = table("a,b,y,z", &rows(60));
    let dataset = of(&place, &text, "z, y", None).look().unwrap();
    assert_eq!(quantities(&dataset).names, ["z", "y"]);
    assert_eq!(found(&dataset).columns, ["a", "b"]);
    assert!(found(&dataset).classes.is_empty());
    let (train, test) = (&dataset.train, &dataset.test);
    assert_eq!((train.len(), test.len()), (48, 12));
    assert_eq!((train.n_classes, train.n_outputs()), (0, 2));
    // Means 0 and deviations 1 in the training part, and not in the test part.
    let statistics = |examples: &Examples| {
        let values = &examples.targets.as_ref().unwrap().values;
        let column = values.iter().skip(1).step_by(2).map(|&x| f64::from(x));
        let n = examples.len() as f64;
        let mean = column.clone().sum::<f64>() / n;
        [mean, column.map(|x| x * x).sum::<f64>() / n - mean * mean]
    };
    let [mean, variance] = statistics(train);
    assert!(
        mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-5,
        "{mean} {variance}"
    );
    let [mean, _] = statistics(test);
    assert!(mean.abs() > 1e-3, "{mean}");
    // In their own units they are those of the file, each beside its inputs.
    let mut found: Vec<Vec<f64>> = [train, test].into_iter().flat_map(values).collect();
    let mut expected: Vec<Vec<f64>> = rows(60)
        .iter()
        .map(|row| vec![row[3].into(), row[2].into()])
        .collect();
    for rows in [&mut found, &mut expected] {
        rows.sort_by(|a, b| a[0].total_cmp(&b[0]));
    }
    for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
    for i in 0..48 {
        let Scaling::Standard { mean, deviation } = &super::found(&dataset).scaling else {
            panic!("a table");
        };
        let b = f64::from(train.input(i)[1] * deviation[1] + mean[1]);
        assert!((train.quantities(i)[0] - (0.5 - b)).abs() < 1e-5);
    }
}

#[test]
fn numbers_that_cannot_be_classes_are_quantities() {
    let place = Place::new();
    let many: Vec<[f32; 4]> = rows(300);
    let whole: Vec<[f32; 4]> = (0..300)
        .map(|i| [(i % 7) as f32, 1.5, 0.0, i as f32])
        .collect();
    let halves: Vec<[f32; 4]> = (0..40)
        .map(|i| [i as f32, 1.0, 2.0, 0.5 + (i % 2) as f32])
        .collect();
    let (regression, classification) = (Some(Task::Regression), Some(Task::Classification));
    for (name, rows, task, n_classes) in [
        ("fractions", &many, None, 0),
        ("more whole numbers than classes", &whole, None, 0),
        ("the same few fractions", &halves, None, 2),
        ("these as quantities", &halves, regression, 0),
    ] {
        let text = table("a,b,c,y", rows);
        let reading = of(&place, &text, "", task).read_as_new().unwrap();
        assert_eq!(reading.dataset.train.n_classes, n_classes, "{name}");
        let said = reading
            .notes
            .iter()
            .any(|note| note.contains("classification"));
        assert_eq!(
            said,
            n_classes == 0 && task.is_none(),
            "{name}: {:?}",
            reading.notes
        );
    }
    let text = table("a,b,c,y", &whole);
    let said = refused(&of(&place, &text, "", classification));
    assert!(said.contains("more than 256 classes"), "{said}");
}

#[test]
fn the_same_quantities_in_every_format_make_the_same_examples() {
    let place = Place::new();
    // The same numbers in single precision and in decimals.
    let short = |x: f32| (x * 64.0).round() / 64.0;
    let rows: Vec<_> = rows(40).into_iter().map(|row| row.map(short)).collect();
    let part = |columns: [usize; 2]| {
        let numbers: Vec<f32> = rows
            .iter()
            .flat_map(|row| columns.map(|c| row[c]))
            .collect();
        floats(&numbers)
    };
    let (x, y) = (part([0, 1]), part([2, 3]));
    let all: Vec<f32> = rows.concat();
    let x_npy = npy("<f4", &[40, 2], &x);
    place.write(
        "a.npz",
        npz(&[("x", x_npy), ("y", npy("<f4", &[40, 2], &y))], false),
    );
    let arrays: [(&str, &str, &[usize], Vec<u8>); 2] =
        [("x", "F32", &[40, 2], x), ("targets", "F32", &[40, 2], y)];
    place.write("a.safetensors", safetensors(&arrays));
    place.write("rows.npy", npy("<f4", &[40, 4], &floats(&all)));
    place.write("a.csv", table("a,b,y,z", &rows));
    let mut first: Option<Dataset> = None;
    for (name, target) in [
        ("a.csv", Some("y,z")),
        ("a.npz", None),
        ("a.safetensors", None),
        ("rows.npy", Some("3,4")),
    ] {
        let files = DataFiles {
            target: target.map(String::from),
            ..place.files(name)
        };
        let dataset = files.look().unwrap();
        let first = first.get_or_insert_with(|| dataset.clone());
        assert_eq!(dataset.train.inputs, first.train.inputs, "{name}");
        let values = |dataset: &Dataset| dataset.test.targets.clone().unwrap().values;
        assert_eq!(values(&dataset), values(first), "{name}");
        // The rows of a file with its targets, and without.
        let read = dataset
            .kind
            .files()
            .unwrap()
            .read_inputs(&place.path(name))
            .unwrap();
        assert_eq!(read.len(), 80, "{name}");
    }
    place.write("new.csv", "b,a\n1,2\n");
    let dataset = first.unwrap();
    let inputs = dataset
        .kind
        .files()
        .unwrap()
        .read_inputs(&place.path("new.csv"));
    let Scaling::Standard { mean, deviation } = &found(&dataset).scaling else {
        panic!("a table");
    };
    for (column, value) in [2.0, 1.0].into_iter().enumerate() {
        let expected = (value - mean[column]) / deviation[column];
        let found = inputs.as_ref().unwrap()[column];
        assert!((found - expected).abs() < 1e-5, "column {column}: {found}");
    }
}

#[test]
fn examples_in_the_order_of_a_quantity_are_shuffled() {
    let place = Place::new();
    let mut sorted = rows(100);
    let reading = of(&place, &table("a,b,y,z", &sorted), "y", None)
        .read_as_new()
        .unwrap();
    let is_shuffled = |note: &String| note.contains("shuffled");
    assert!(
        !reading.notes.iter().any(is_shuffled),
        "{:?}",
        reading.notes
    );
    sorted.sort_by(|a, b| a[2].total_cmp(&b[2]));
    let reading = of(&place, &table("a,b,y,z", &sorted), "y", None)
        .read_as_new()
        .unwrap();
    assert!(reading.notes.iter().any(is_shuffled), "{:?}", reading.notes);
    let values: Vec<f64> = values(&reading.dataset.train).concat();
    let n_up = values.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!((25..55).contains(&n_up), "{n_up} of 79");
}

#[test]
fn what_was_found_before_decides_on_the_units_of_other_files() {
    let place = Place::new();
    let files = of(&place, &table("a,b,y,z", &rows(60)), "y", None)
        .look()
        .unwrap();
    let files = files.kind.files().unwrap().clone();
    let mut others = rows(30);
    others.iter_mut().for_each(|row| row[2] = 103.0);
    place.write("other.csv", table("a,b,y,z", &others));
    // Even quantities that are all the same.
    let other = files.read(Some(&place.path("other.csv"))).unwrap().dataset;
    assert_eq!(
        quantities(&other),
        files.found.as_ref().unwrap().quantities.as_ref().unwrap()
    );
    assert!(
        values(&other.test)
            .iter()
            .all(|row| (row[0] - 103.0).abs() < 1e-4)
    );
    place.write("text.csv", table("a,b,y,z", &others).replace("103", "many"));
    let said = files
        .read(Some(&place.path("text.csv")))
        .unwrap_err()
        .to_string();
    assert!(
        said.contains("the target `many` in line 2, column y"),
        "{said}"
    );
}

#[test]
fn targets_that_cannot_be_learned_are_refused() {
    let place = Place::new();
    let plain = table("a,b,y,z", &rows(50));
    let regression = Some(Task::Regression);
    let with_text = plain.replacen("100", "much", 1);
    let mut constant = rows(50);
    constant.iter_mut().for_each(|row| row[3] = 0.1);
    let constant = table("a,b,y,z", &constant);
    for (text, target, task, expected) in [
        (
            &with_text,
            "y",
            regression,
            &["the target `much", "in line 2, column y"][..],
        ),
        (
            &with_text,
            "y,z",
            None,
            &["the target `much", "in line 2, column y"],
        ),
        (&constant, "z", regression, &["quantity `z` is 0.1"]),
        (&plain, "y,q", None, &["no column `q`", "a, b, y, z"]),
        (&plain, "y,y", None, &["column y is named twice"]),
        (&plain, "a,b,y,z", None, &["no column beside the targets"]),
        (
            &plain,
            "y,z",
            Some(Task::Classification),
            &["y, z are named", "`regression`"],
        ),
    ] {
        let said = refused(&of(&place, text, target, task));
        for part in expected {
            assert!(said.contains(part), "{target}, {task:?}: {said}");
        }
    }
    let said = refused(&of(&place, "a,y\n1,0.5\n2,nan\n3,1.5\n", "y", regression));
    assert!(
        said.contains("lacks 1 values, the first in line 3, column y"),
        "{said}"
    );
    let said = refused(&of(&place, "a,y\n1,0.5\n2,inf\n3,1.5\n", "y", regression));
    assert!(said.contains("the target `inf` in line 3"), "{said}");

    let x = npy("<f4", &[4, 1], &floats(&[1.0, 2.0, 3.0, 4.0]));
    for (shape, y, expected) in [
        (
            &[4][..],
            [0.5, f32::NAN, 1.5, 2.5, 0.0, 0.0, 0.0, 0.0],
            "the target `NaN` in example 2",
        ),
        (
            &[4, 2],
            [1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0],
            "label 1 is a row of 2 numbers",
        ),
    ] {
        let n = shape.iter().product();
        let y = npy("<f4", shape, &floats(&y[..n]));
        place.write("a.npz", npz(&[("x", x.clone()), ("y", y)], false));
        let said = refused(&place.files("a.npz"));
        assert!(said.contains(expected), "{said}");
    }
    place.gray("photos/a/1.png", [2, 2], &[1, 2, 3, 4]);
    let photos = DataFiles {
        task: regression,
        ..place.files("photos")
    };
    let said = refused(&photos);
    assert!(said.contains("have classes and no quantities"), "{said}");
    let said = "regresion".parse::<Task>().unwrap_err().to_string();
    assert!(said.contains("did you mean `regression`"), "{said}");
}

#[test]
fn descriptions_of_classes_are_written_as_before() {
    let place = Place::new();
    let dataset = of(&place, "a,y\n1,u\n2,v\n3,u\n4,v\n", "", None)
        .look()
        .unwrap();
    let written = serde_json::to_string(dataset.kind.files().unwrap()).unwrap();
    assert!(
        !written.contains("task") && !written.contains("quantities"),
        "{written}"
    );
    let dataset = of(&place, &table("a,b,y,z", &rows(50)), "z", None)
        .look()
        .unwrap();
    let files = dataset.kind.files().unwrap();
    let written = serde_json::to_string(files).unwrap();
    assert_eq!(serde_json::from_str::<DataFiles>(&written).unwrap(), *files);
    let mut damaged = files.clone();
    let quantities = damaged.found.as_mut().unwrap().quantities.as_mut();
    quantities.unwrap().deviation[0] = 0.0;
    assert!(damaged.check().is_err());
}
