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
