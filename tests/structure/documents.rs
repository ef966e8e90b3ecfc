//! The documents: the targets of their links, and their lengths.

use std::fs;
use std::path::{Path, PathBuf};

use crate::root;

/// The README and every page of the guide, with their text.
fn documents() -> Vec<(PathBuf, String)> {
    let mut paths: Vec<PathBuf> = [
        "README.md",
        "CONTRIBUTING.md",
        "ARCHITECTURE.md",
        "SECURITY.md",
    ]
    .map(|name| root().join(name))
    .into();
    let pages = fs::read_dir(root().join("docs/src")).unwrap();
    paths.extend(pages.map(|page| page.unwrap().path()));
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

/// Returns the anchor of a heading, as used in links.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Returns the link targets of a text, without its code blocks.
fn links(text: &str) -> Vec<String> {
    let mut is_code = false;
    let prose = text.lines().filter(|line| {
        is_code ^= line.starts_with("```");
        !is_code
    });
    let prose: String = prose.collect::<Vec<_>>().join(" ");
    let targets = prose.split("](").skip(1);
    let targets = targets.filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_string()).collect()
}

#[test]
fn links_within_the_project_lead_somewhere() {
    let mut n_links = 0;
    for (path, text) in documents() {
        for link in links(&text) {
            if link.contains("://") {
                continue;
            }
            n_links += 1;
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let folder = path.parent().unwrap_or(Path::new("."));
            let target = if file.is_empty() {
                path.clone()
            } else {
                folder.join(file)
            };
            assert!(target.exists(), "{}: {link}", path.display());
            if !heading.is_empty() {
                let text = fs::read_to_string(&target).unwrap();
                let mut headings = text.lines().filter(|line| line.starts_with('#'));
                let is_there = headings.any(|line| anchor(line) == heading);
                assert!(is_there, "{}: {link}", path.display());
            }
        }
    }
    assert!(n_links > 30, "{n_links}");
}

#[test]
fn every_page_of_the_guide_is_in_its_contents() {
    let contents = fs::read_to_string(root().join("docs/src/SUMMARY.md")).unwrap();
    for (path, _) in documents() {
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.parent().unwrap().ends_with("docs/src") && name != "SUMMARY.md" {
            assert!(contents.contains(&format!("({name})")), "{name}");
        }
    }
}

#[test]
fn the_readme_is_short() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let (n_lines, n_words) = (text.lines().count(), text.split_whitespace().count());
    assert!(
        n_lines <= 100 && n_words <= 900,
        "{n_lines} lines, {n_words} words"
    );
}

/// Returns the names of the presets, from their source.
fn presets() -> Vec<String> {
    let source = root().join("crates/eqprop-train/src/preset.rs");
    let source = fs::read_to_string(source).unwrap();
    let (_, names) = source.split_once("fn name(self)").unwrap();
    let (names, _) = names.split_once("\n    }\n").unwrap();
    let names = names.lines().filter_map(|line| line.split('"').nth(1));
    names.map(String::from).collect()
}

/// Returns the presets that a command names.
fn named_presets(command: &str) -> impl Iterator<Item = &str> {
    let words = command.split_whitespace();
    let next = words.clone().skip(1);
    let named = words.zip(next).filter_map(|(option, value)| match option {
        "--preset" | "--presets" => Some(value),
        _ => None,
    });
    named.flat_map(|value| value.split(','))
}

/// Returns the faults of a section of the page of results.
fn faults(section: &str, presets: &[String], list: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let block = section.split_once("\n```sh\n");
    let block = block.and_then(|(_, rest)| rest.split_once("\n```"));
    let lines = block.map_or("", |(block, _)| block).lines();
    let commands: Vec<&str> = lines
        .filter_map(|line| line.strip_prefix("cargo run --release -- "))
        .collect();
    if commands.is_empty() {
        faults.push("no command".to_string());
    }
    for command in commands {
        if !list.contains(&format!("command = \"{command}\"")) {
            faults.push(format!("not in the list: {command}"));
        }
        let unknown = named_presets(command).filter(|name| !presets.iter().any(|p| p == name));
        faults.extend(unknown.map(|name| format!("no preset {name}")));
    }
    // Such as `Run on 2026-11-28, in 61 s, on Intel(R) Xeon(R), 2 cores; commit b7e40db, clean.`
    let run = section
        .lines()
        .find_map(|line| line.strip_prefix("Run on "));
    let (date, rest) = run
        .and_then(|run| run.split_once(", in "))
        .unwrap_or_default();
    let is_date = date.len() == 10
        && date.char_indices().all(|(i, c)| match i {
            4 | 7 => c == '-',
            _ => c.is_ascii_digit(),
        });
    if !is_date {
        faults.push("no date".to_string());
    }
    let machine = rest
        .split_once(" s, on ")
        .map_or("", |(_, machine)| machine);
    let (machine, commit) = machine.split_once("; commit ").unwrap_or_default();
    let (processor, cores) = machine.rsplit_once(", ").unwrap_or_default();
    let is_cores = cores
        .split_once(' ')
        .is_some_and(|(n, word)| n.parse().is_ok_and(|n: usize| n > 0) && word.starts_with("core"));
    if processor.is_empty() || !is_cores {
        faults.push("no processor".to_string());
    }
    if commit.is_empty() {
        faults.push("no commit".to_string());
    }
    faults
}

#[test]
fn every_result_says_how_when_and_on_which_machine() {
    let presets = presets();
    assert!(presets.len() > 10, "{presets:?}");
    let list = fs::read_to_string(root().join("docs/results.toml")).unwrap();
    let page = fs::read_to_string(root().join("docs/src/results.md")).unwrap();
    let sections: Vec<&str> = page.split("\n## ").skip(1).collect();
    assert!(sections.len() > 5, "{} sections", sections.len());
    for section in sections {
        let title = section.lines().next().unwrap_or_default();
        let faults = faults(section, &presets, &list);
        assert!(faults.is_empty(), "{title}: {faults:?}");
    }
}

#[test]
fn a_result_without_its_command_or_machine_is_found() {
    let presets = ["digits".to_string()];
    let list = "command = \"train --preset digits\"\ncommand = \"bench --preset digits,none\"\n";
    let section = |command: &str, run: &str| format!("T\n\n```sh\n{command}\n```\n\n{run}\n");
    let (command, run) = (
        "cargo run --release -- train --preset digits",
        "Run on 2026-11-28, in 61 s, on AMD EPYC, rev 2, 2 cores; commit b7e40db, clean.",
    );
    let found = |command: &str, run: &str| faults(&section(command, run), &presets, list);
    assert_eq!(found(command, run), [""; 0]);
    let bench = "cargo run --release -- bench --preset digits,none";
    assert_eq!(found(bench, run), ["no preset none"]);
    let other = "cargo run --release -- train";
    assert_eq!(found(other, run), ["not in the list: train"]);
    assert_eq!(found("", run), ["no command"]);
    let lacking = ["no date", "no processor", "no commit"];
    assert_eq!(found(command, ""), lacking);
    let undated = run.replace("2026-11-28", "yesterday");
    assert_eq!(found(command, &undated), ["no date"]);
    let nowhere = run.replace("AMD EPYC, rev 2, ", "");
    assert_eq!(found(command, &nowhere), ["no processor"]);
}
