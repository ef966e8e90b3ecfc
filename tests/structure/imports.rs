//! The imports between the files of a crate, read from their sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The files, by module path without the crate, that each file imports.
pub type Arrows = BTreeMap<String, BTreeSet<String>>;

/// Returns all Rust sources below a folder, except those of tests.
pub fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder of the project") {
        let path = entry.expect("it can be read").path();
        let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
        if path.is_dir() && !is_test {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") && !is_test {
            let text = std::fs::read_to_string(&path).expect("it can be read");
            found.push((path, text));
        }
    }
    found
}

/// The modules of a crate that have a file.
pub struct Crate(BTreeMap<String, Module>);

#[derive(Default)]
struct Module {
    /// Paths used by the code that lead into the crate.
    used: BTreeSet<String>,
    /// Its re-exports: the name, or `*`, and the source.
    passed_on: Vec<(String, String)>,
}

impl Crate {
    pub fn read(src: &Path) -> Self {
        let files = sources(src);
        let module = |path: &Path| {
            let path = path.strip_prefix(src).expect("below it").with_extension("");
            let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
            parts.join("::")
        };
        let names: BTreeSet<String> = files.iter().map(|(path, _)| module(path)).collect();
        let read = files.iter().map(|(path, text)| {
            let name = module(path);
            let read = Module::read(&name, text, &names);
            (name, read)
        });
        Self(read.collect())
    }

    /// Returns the file that holds the item of a path; for a re-export, the file that it comes from.
    fn file_of(&self, path: &str) -> Option<String> {
        let parts: Vec<&str> = path.split("::").collect();
        let n = (1..=parts.len())
            .rev()
            .find(|&n| self.0.contains_key(&parts[..n].join("::")))?;
        let file = parts[..n].join("::");
        let Some(item) = parts.get(n) else {
            return Some(file);
        };
        let passed_on = &self.0[&file].passed_on;
        let named = passed_on.iter().find(|(name, _)| name == item);
        if let Some((_, target)) = named {
            return self.file_of(target);
        }
        // Behind a glob it may be in any of them: where such an item is defined.
        let globs = passed_on.iter().filter(|(name, _)| name == "*");
        let inner = globs.filter_map(|(_, target)| {
            let found = self.file_of(&format!("{target}::{item}"))?;
            let defines = self.defines(&found, item);
            defines.then_some(found)
        });
        inner.into_iter().next().or(Some(file))
    }

    /// The module paths of the files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    fn defines(&self, file: &str, item: &str) -> bool {
        self.0[file].used.contains(&format!("define {item}"))
    }

    pub fn arrows(&self) -> Arrows {
        let mut arrows = Arrows::new();
        for (name, module) in &self.0 {
            if name == "lib" || name == "main" {
                continue;
            }
            let used = module
                .used
                .iter()
                .filter(|path| !path.starts_with("define "));
            let targets = used.filter_map(|path| self.file_of(path));
            let targets: BTreeSet<_> = targets.filter(|target| target != name).collect();
            if !targets.is_empty() {
                arrows.insert(name.clone(), targets);
            }
        }
        arrows
    }
}

impl Module {
    fn read(name: &str, text: &str, names: &BTreeSet<String>) -> Self {
        let words = words(&code(text));
        let mut module = Self::default();
        let mut at = 0;
        while at < words.len() {
            let word = words[at].as_str();
            let before = at.checked_sub(1).map_or("", |at| words[at].as_str());
            let defines = ["struct", "enum", "trait", "fn", "type", "const"].contains(&word);
            if let (true, Some(item)) = (defines, words.get(at + 1)) {
                module.used.insert(format!("define {item}"));
            }
            if word == "use" {
                let end = (at..words.len())
                    .find(|&i| words[i] == ";")
                    .unwrap_or(words.len());
                let is_passed_on = before == "pub" || before == ")";
                for (path, alias) in tree(&words[at + 1..end]) {
                    let Some(path) = absolute(&path, name, names) else {
                        continue;
                    };
                    if is_passed_on {
                        let (parent, item) = path.rsplit_once("::").unwrap_or(("", &path));
                        match item {
                            "*" => module.passed_on.push(("*".to_string(), parent.to_string())),
                            _ => module.passed_on.push((alias, path)),
                        }
                    } else {
                        module.used.insert(path);
                    }
                }
                at = end;
            } else if before != "::" && words.get(at + 1).is_some_and(|next| next == "::") {
                // A path in the code.
                let mut path = vec![word.to_string()];
                while words.get(at + 1).is_some_and(|next| next == "::") {
                    path.extend(words.get(at + 2).cloned());
                    at += 2;
                }
                let path = path.join("::");
                module.used.extend(absolute(&path, name, names));
            }
            at += 1;
        }
        module
    }
}

/// Returns a path from the root of the crate; `None` if it leads outside.
fn absolute(path: &str, module: &str, names: &BTreeSet<String>) -> Option<String> {
    let (first, rest) = path.split_once("::").unwrap_or((path, ""));
    let join = |base: &str| match (base, rest) {
        ("", rest) => rest.to_string(),
        (base, "") => base.to_string(),
        (base, rest) => format!("{base}::{rest}"),
    };
    match first {
        "crate" => Some(join("")),
        "self" => Some(join(module)),
        "super" => {
            let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
            match rest.strip_prefix("super") {
                // More than one step up.
                Some(_) => absolute(rest, parent, names),
                None => Some(join(parent)),
            }
        }
        child => {
            let child = format!("{module}::{child}");
            names.contains(&child).then(|| join(&child))
        }
    }
}

/// Returns the paths of a `use` with the names that it gives them.
fn tree(words: &[String]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut prefixes: Vec<String> = Vec::new();
    let mut path = String::new();
    let mut alias = None;
    let mut take = |prefixes: &[String], path: &mut String, alias: &mut Option<String>| {
        if !path.is_empty() {
            let full = prefixes.concat() + path;
            let full = full.trim_end_matches("::self").to_string();
            let last = full.rsplit("::").next().unwrap_or(&full).to_string();
            found.push((full.clone(), alias.take().unwrap_or(last)));
            path.clear();
        }
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "{" => prefixes.push(std::mem::take(&mut path)),
            "}" => {
                take(&prefixes, &mut path, &mut alias);
                prefixes.pop();
            }
            "," => take(&prefixes, &mut path, &mut alias),
            "as" => alias = words.next().cloned(),
            word => path.push_str(word),
        }
    }
    take(&prefixes, &mut path, &mut alias);
    found
}

/// Returns the text without comments, strings and tests.
fn code(text: &str) -> String {
    let text = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or(text);
    let mut code = String::new();
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or(line);
        // Of pairs of quotes the parts outside; no string of the project spans `::`.
        code.extend(line.split('"').step_by(2));
        code.push('\n');
    }
    code
}

/// Splits code into names, `::`, and single other characters.
fn words(code: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut rest = code.chars().peekable();
    while let Some(sign) = rest.next() {
        if sign.is_alphanumeric() || sign == '_' {
            let mut word = sign.to_string();
            while let Some(next) = rest.next_if(|next| next.is_alphanumeric() || *next == '_') {
                word.push(next);
            }
            words.push(word);
        } else if sign == ':' && rest.next_if_eq(&':').is_some() {
            words.push("::".to_string());
        } else if !sign.is_whitespace() {
            words.push(sign.to_string());
        }
    }
    words
}
