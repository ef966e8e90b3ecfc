//! Several labels at once: an example has none, one or several of them.

use super::*;
use crate::data::{Examples, TargetKind, Targets};

const NAMES: [&str; 3] = ["wings", "wheels", "sails"];

/// Rows of two inputs that are all different, and of three labels whether they are there, in no order.
fn rows(n: usize) -> Vec<([f32; 2], [bool; 3])> {
    let row = |i: usize| {
        let [a, b] = [7, 11].map(|step| ((i * step) % n) as f32 / 64.0);
        (
            [a, b],
            [i.is_multiple_of(2), i.is_multiple_of(3), (i * i) % 5 == 1],
        )
    };
    (0..n).map(row).collect()
}

/// A table in which a label that is there is `yes`, and one that is not is `no`.
fn table(rows: &[([f32; 2], [bool; 3])], [yes, no]: [&str; 2]) -> String {
    let line = |([a, b], labels): &([f32; 2], [bool; 3])| {
        let labels = labels.map(|is_there| if is_there { yes } else { no });
        format!("{a},{b},{}\n", labels.join(","))
    };
    let lines: String = rows.iter().map(line).collect();
    format!("a,b,{}\n{lines}", NAMES.join(","))
}

fn of(place: &Place, text: &str) -> DataFiles {
    place.write("a.csv", text);
    labeled(place, "a.csv", Some("wings,wheels,sails"))
}

fn labeled(place: &Place, name: &str, target: Option<&str>) -> DataFiles {
    DataFiles {
        target: target.map(String::from),
        task: Some(Task::Labels),
        ..place.files(name)
    }
}

#[test]
fn columns_say_which_labels_an_example_has() {
    let place = Place::new();
    let rows = rows(60);
    let reading = of(&place, &table(&rows, ["1", "0"])).read_as_new().unwrap();
    let dataset = reading.dataset;
    assert_eq!(found(&dataset).labels, NAMES);
    assert!(found(&dataset).classes.is_empty() && found(&dataset).quantities.is_none());
    assert_eq!(dataset.kind.labels().unwrap(), NAMES);
    assert_eq!((dataset.kind.n_classes(), dataset.kind.n_outputs()), (0, 3));
    let said = "the labels are in the columns wings, wheels, sails";
    assert!(
        reading.notes.iter().any(|note| note == said),
        "{:?}",
        reading.notes
    );
    let (train, test) = (&dataset.train, &dataset.test);
    assert_eq!((train.len(), test.len(), train.n_outputs()), (48, 12, 3));
    // Each set of labels is beside its inputs.
    let Scaling::Standard { mean, deviation } = &found(&dataset).scaling else {
        panic!("a table");
    };
    for examples in [train, test] {
        for i in 0..examples.len() {
            let a = examples.input(i)[0] * deviation[0] + mean[0];
            let is_own = |([other, _], _): &&([f32; 2], [bool; 3])| (a - other).abs() < 1e-4;
            let (_, labels) = rows.iter().find(is_own).unwrap();
            let wanted: Vec<usize> = (0..3).filter(|&label| labels[label]).collect();
            assert_eq!(examples.label_set(i), wanted, "example {i}");
            assert!(examples.quantities(i).is_empty());
        }
    }
    let n_of = |n: usize| (0..48).filter(|&i| train.label_set(i).len() == n).count();
    assert!([0, 1, 2].iter().all(|&n| n_of(n) > 0), "none, one, several");
    // Parts of them keep theirs.
    let (rest, tail) = train.clone().split_tail(15);
    assert_eq!((rest.len(), tail.len()), (33, 15));
    assert_eq!(tail.label_set(4), train.label_set(37));
    let turned = train.in_order(&[5, 2]);
    assert_eq!(turned.label_set(0), train.label_set(5));
    assert_eq!(train.clone().take(3).label_set(2), train.label_set(2));
}

#[test]
fn the_same_labels_in_every_format_make_the_same_examples() {
    let place = Place::new();
    let rows = rows(40);
    let inputs: Vec<f32> = rows.iter().flat_map(|(inputs, _)| *inputs).collect();
    let labels: Vec<u8> = rows
        .iter()
        .flat_map(|(_, labels)| labels.map(u8::from))
        .collect();
    let numbers: Vec<f32> = labels.iter().map(|&label| label.into()).collect();
    let all: Vec<f32> = rows
        .iter()
        .flat_map(|([a, b], labels)| {
            let labels = labels.map(|is_there| f32::from(u8::from(is_there)));
            [*a, *b].into_iter().chain(labels)
        })
        .collect();
    for (name, words) in [
        ("a.csv", ["1", "0"]),
        ("b.csv", ["true", "false"]),
        ("c.csv", ["Yes", "no"]),
        ("d.csv", ["1.0", " 0 "]),
    ] {
        place.write(name, table(&rows, words));
    }
    let x = || npy("<f4", &[40, 2], &floats(&inputs));
    for (name, y) in [
        ("a.npz", npy("|u1", &[40, 3], &labels)),
        ("b.npz", npy("|b1", &[40, 3], &labels)),
        ("c.npz", npy("<f4", &[40, 3], &floats(&numbers))),
    ] {
        place.write(name, npz(&[("x", x()), ("y", y)], false));
    }
    let arrays: [(&str, &str, &[usize], Vec<u8>); 2] = [
        ("x", "F32", &[40, 2], floats(&inputs)),
        ("labels", "U8", &[40, 3], labels),
    ];
    place.write("a.safetensors", safetensors(&arrays));
    place.write("rows.npy", npy("<f4", &[40, 5], &floats(&all)));
    let named = Some("wings,wheels,sails");
    let mut first: Option<Dataset> = None;
    for (name, target) in [
        ("a.csv", named),
        ("b.csv", named),
        ("c.csv", named),
        ("d.csv", named),
        ("a.npz", None),
        ("b.npz", None),
        ("c.npz", None),
        ("a.safetensors", None),
        ("rows.npy", Some("3,4,5")),
    ] {
        let dataset = labeled(&place, name, target).look().unwrap();
        let first = first.get_or_insert_with(|| dataset.clone());
        let values = |examples: &Examples| examples.targets.clone().unwrap().values;
        for (found, expected) in [(&dataset.train, &first.train), (&dataset.test, &first.test)] {
            assert_eq!(found.inputs, expected.inputs, "{name}");
            assert_eq!(values(found), values(expected), "{name}");
        }
        // The rows of a file with its labels.
        let files = dataset.kind.files().unwrap();
        let read = files.read_inputs(&place.path(name)).unwrap();
        assert_eq!(read.len(), 80, "{name}");
        let names = found(&dataset).labels.clone();
        match name.ends_with("npz") {
            true => assert_eq!(names, ["label 1", "label 2", "label 3"]),
            false => assert_eq!(names.len(), 3),
        }
    }
    // And without.
    place.write("new.csv", "b,a\n1,2\n");
    let dataset = first.unwrap();
    let files = dataset.kind.files().unwrap();
    assert_eq!(files.read_inputs(&place.path("new.csv")).unwrap().len(), 2);
}

#[test]
fn what_says_of_no_label_whether_it_is_there_is_refused() {
    let place = Place::new();
    let plain = table(&rows(50), ["1", "0"]);
    let words = table(&rows(50), ["true", "false"]);
    let with = |old: &str, new: &str| {
        let text = plain.replacen(old, new, 1);
        assert_ne!(text, plain);
        text
    };
    for (text, expected) in [
        (
            with(",1,1,0\n", ",1,2,0\n"),
            &["target `2`", "column wheels", "1 or 0"][..],
        ),
        (
            with(",1,1,0\n", ",1,maybe,0\n"),
            &["target `maybe`", "in line 2"],
        ),
        (with(",1,1,0\n", ",1,0.5,0\n"), &["target `0.5`"]),
        (with(",1,1,0\n", ",1,inf,0\n"), &["target `inf`"]),
        (
            with(",1,1,0\n", ",1,,0\n"),
            &["lacks 1 values, the first in line 2, column wheels"],
        ),
        (with("sails", "sailz"), &["no column `sails`"]),
    ] {
        let said = refused(&of(&place, &text));
        for part in expected {
            assert!(said.contains(part), "{part:?} is missing: {said}");
        }
    }
    // Labels of which there is nothing to learn, all of them at once.
    let constant = rows(50)
        .into_iter()
        .map(|(inputs, [_, second, _])| (inputs, [false, second, true]));
    let constant: Vec<_> = constant.collect();
    let said = refused(&of(&place, &table(&constant, ["1", "0"])));
    assert!(
        said.contains("nothing to learn") && said.contains("wings, sails;"),
        "{said}"
    );

    let y = |numbers: &[f32]| npy("<f4", &[4, 2], &floats(numbers));
    let x = npy("<f4", &[4, 1], &floats(&[1.0, 2.0, 3.0, 4.0]));
    let y = y(&[1.0, 0.0, 0.0, 1.5, 1.0, 1.0, 0.0, 0.0]);
    place.write("a.npz", npz(&[("x", x), ("y", y)], false));
    let said = refused(&labeled(&place, "a.npz", None));
    assert!(
        said.contains("target `1.5` in example 2, column 2"),
        "{said}"
    );
    place.gray("photos/a/1.png", [2, 2], &[1, 2, 3, 4]);
    let said = refused(&labeled(&place, "photos", None));
    assert!(
        said.contains("a single class each") && said.contains("`labels`"),
        "{said}"
    );

    // Who does not name the task hears of it.
    place.write("a.csv", words);
    let unnamed = |name: &str, task: Option<Task>| DataFiles {
        task,
        ..labeled(&place, name, Some("wings,wheels,sails"))
    };
    let said = refused(&unnamed("a.csv", None));
    assert!(
        said.contains("the task `labels` takes such words"),
        "{said}"
    );
    let said = refused(&unnamed("a.csv", Some(Task::Classification)));
    assert!(said.contains("or `labels`"), "{said}");
    place.write("a.csv", plain);
    let reading = unnamed("a.csv", None).read_as_new().unwrap();
    let notes = &reading.notes;
    assert!(
        notes
            .iter()
            .any(|note| note.contains("the task `labels` learns")),
        "{notes:?}"
    );
    assert!(found(&reading.dataset).quantities.is_some());
    let x = npy("<f4", &[4, 1], &floats(&[1.0, 2.0, 3.0, 4.0]));
    let y = npy("|b1", &[4, 2], &[1, 0, 0, 1, 1, 1, 0, 0]);
    place.write("b.npz", npz(&[("x", x), ("y", y)], false));
    let said = refused(&place.files("b.npz"));
    assert!(
        said.contains("the task `labels`, where it may have several"),
        "{said}"
    );
}

#[test]
fn examples_in_the_order_of_a_label_are_shuffled() {
    let place = Place::new();
    let is_shuffled = |rows: &[([f32; 2], [bool; 3])]| {
        let reading = of(&place, &table(rows, ["1", "0"])).read_as_new().unwrap();
        reading.notes.iter().any(|note| note.contains("shuffled"))
    };
    let mut rows = rows(100);
    rows.iter_mut()
        .enumerate()
        .for_each(|(i, (_, labels))| labels[0] = i * i % 7 < 3);
    assert!(!is_shuffled(&rows));
    rows.sort_by_key(|(_, labels)| labels[1]);
    assert!(is_shuffled(&rows));
}

#[test]
fn what_was_found_before_decides_on_the_labels_of_other_files() {
    let place = Place::new();
    let dataset = of(&place, &table(&rows(60), ["1", "0"])).look().unwrap();
    let files = dataset.kind.files().unwrap();
    // Even where a label is in none of them.
    let others = rows(30)
        .into_iter()
        .map(|(inputs, [_, b, c])| (inputs, [false, b, c]));
    let others: Vec<_> = others.collect();
    place.write("other.csv", table(&others, ["yes", "no"]));
    let other = files.read(Some(&place.path("other.csv"))).unwrap().dataset;
    assert_eq!(found(&other), files.found.as_ref().unwrap());
    assert!((0..other.train.len()).all(|i| !other.train.label_set(i).contains(&0)));
    place.write("bad.csv", table(&others, ["yes", "never"]));
    let said = files
        .read(Some(&place.path("bad.csv")))
        .unwrap_err()
        .to_string();
    assert!(said.contains("target `never`"), "{said}");

    let written = serde_json::to_string(files).unwrap();
    assert!(written.contains("\"task\":\"labels\""), "{written}");
    assert_eq!(serde_json::from_str::<DataFiles>(&written).unwrap(), *files);
    let mut damaged = files.clone();
    damaged.found.as_mut().unwrap().classes = vec!["a".into(), "b".into()];
    assert!(damaged.check().is_err());

    // Every label counts for the fingerprint, and every name.
    let with = |change: &dyn Fn(&mut Targets)| {
        let mut changed = dataset.clone();
        change(changed.train.targets.as_mut().unwrap());
        Dataset::new(&changed.kind, changed.train, changed.test).fingerprint()
    };
    let same = with(&|_| {});
    assert_eq!(same, dataset.fingerprint());
    let flipped = with(&|targets| targets.values[7] = 1.0 - targets.values[7]);
    let renamed = with(&|targets| {
        targets.kind = TargetKind::Labels(["wings", "wheels", "sail"].map(String::from).into());
    });
    assert!(flipped != same && renamed != same && flipped != renamed);
}
