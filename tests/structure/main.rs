//! The structure of the crates, read from their sources: imports lead down, and never in a circle.

mod documents;
mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use imports::{Arrows, Crate};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn modules(name: &str) -> Crate {
    Crate::read(&root().join("crates").join(name).join("src"))
}

fn arrows(name: &str) -> Arrows {
    modules(name).arrows()
}

/// Returns a path from `from` back to itself, if there is one.
fn circle(arrows: &Arrows, from: &str) -> Option<Vec<String>> {
    fn search(
        arrows: &Arrows,
        way: &mut Vec<String>,
        seen: &mut BTreeSet<String>,
    ) -> Option<Vec<String>> {
        let last = way.last().expect("it begins somewhere");
        for next in arrows.get(last).into_iter().flatten() {
            if *next == way[0] {
                return Some(way.clone());
            }
            if seen.insert(next.clone()) {
                way.push(next.clone());
                let found = search(arrows, way, seen);
                if found.is_some() {
                    return found;
                }
                way.pop();
            }
        }
        None
    }
    search(arrows, &mut vec![from.to_string()], &mut BTreeSet::new())
}

#[test]
fn no_file_imports_one_that_imports_it_back() {
    for name in ["eqprop-core", "eqprop-train", "eqprop-bench"] {
        let arrows = arrows(name);
        assert!(arrows.len() > 20, "{name}: {} files import", arrows.len());
        let circles = arrows.keys().filter_map(|file| circle(&arrows, file));
        let circles: BTreeSet<String> = circles.map(|way| way.join(" -> ")).collect();
        assert!(circles.is_empty(), "{name}: {circles:#?}");
    }
}

/// Returns the level of each module of a crate, from the order in `ARCHITECTURE.md`, from the bottom up.
fn order(name: &str) -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("it is there");
    let start = format!("```text\n{name}, from the bottom up\n");
    let (_, block) = text.split_once(&start).expect("it has the order");
    let (block, _) = block.split_once("```").expect("it ends");
    let levels = block.lines().enumerate().flat_map(|(level, line)| {
        let names = line.split_whitespace();
        names.map(move |name| (name.to_string(), level))
    });
    levels.collect()
}

#[test]
fn imports_lead_down_the_order_that_the_architecture_names() {
    for name in ["eqprop-core", "eqprop-train"] {
        let order = order(name);
        let top = |file: &str| file.split("::").next().unwrap_or(file).to_string();
        for (from, targets) in arrows(name) {
            for to in targets {
                let (above, below) = (top(&from), top(&to));
                let level = |module: &String| {
                    let level = order.get(module);
                    level.unwrap_or_else(|| panic!("{name}: {module} has no place in the order"))
                };
                assert!(
                    above == below || level(&above) > level(&below),
                    "{name}: {from} imports {to}, which is not below it"
                );
            }
        }
        let there: BTreeSet<_> = modules(name).names().map(top).collect();
        let gone: Vec<_> = order.keys().filter(|name| !there.contains(*name)).collect();
        assert!(gone.is_empty(), "{name} has no {gone:?}");
    }
}

#[test]
fn a_circle_is_found() {
    let arrows = |pairs: &[(&str, &str)]| {
        let mut arrows = Arrows::new();
        for (from, to) in pairs {
            arrows
                .entry(from.to_string())
                .or_default()
                .insert(to.to_string());
        }
        arrows
    };
    let line = arrows(&[("a", "b"), ("b", "c"), ("a", "c")]);
    assert!(line.keys().all(|file| circle(&line, file).is_none()));
    let ring = arrows(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")]);
    let way = circle(&ring, "b").expect("b leads to itself");
    assert_eq!(way, ["b", "c", "a"]);
    assert!(circle(&ring, "d").is_none());
}

#[test]
fn fast_code_has_one_door() {
    let sources = imports::sources(&root().join("crates"));
    let outside = |path: &Path| {
        let path = path.to_string_lossy().replace('\\', "/");
        path.contains("/src/") && !path.contains("/src/fused") && !path.contains("/src/kernel")
    };
    let mut choices = Vec::new();
    for (path, text) in sources.iter().filter(|(path, _)| outside(path)) {
        let n = text.matches("cfg(feature = \"flex\")").count();
        choices.extend((0..n).map(|_| path.display().to_string()));
    }
    assert!(choices.len() <= 5, "{choices:#?}");
    // Only the door knows the backend's folder, and only it knows the kernels.
    let core = arrows("eqprop-core");
    for (from, targets) in &core {
        for to in targets {
            let enters = |room: &str| to.starts_with(room) && !from.starts_with(room);
            assert!(
                !enters("fused::flex") || from.starts_with("fused"),
                "{from} -> {to}"
            );
            assert!(
                !enters("kernel") || from.starts_with("fused::flex"),
                "{from} -> {to}"
            );
        }
    }
}
