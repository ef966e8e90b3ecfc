//! What names of folders, files and arrays say.

/// Which examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Train,
    Validation,
    Test,
}

/// What an array is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Inputs,
    Labels,
}

const PARTS: [(&str, Part); 8] = [
    ("training", Part::Train),
    ("train", Part::Train),
    ("testing", Part::Test),
    ("test", Part::Test),
    ("t10k", Part::Test),
    ("validation", Part::Validation),
    ("valid", Part::Validation),
    ("val", Part::Validation),
];

const INPUTS: [&str; 9] = [
    "x", "images", "image", "imgs", "img", "inputs", "input", "features", "data",
];

const LABELS: [&str; 8] = [
    "y", "labels", "label", "targets", "target", "classes", "class", "lbls",
];

/// What IDX files have in their names beside.
const FILLERS: [&str; 7] = ["idx1", "idx2", "idx3", "idx4", "ubyte", "int", "raw"];

impl Part {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "training",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }

    /// The part that a name says.
    pub fn of(name: &str) -> Option<Self> {
        words(name).iter().find_map(|word| split(word).0)
    }
}

impl Role {
    /// The role that a name says. Labels of images are labels.
    pub fn of(name: &str) -> Option<Self> {
        let words = words(name);
        let words: Vec<&str> = words.iter().map(|word| split(word).1).collect();
        let has = |names: &[&str]| words.iter().any(|word| names.contains(word));
        if has(&LABELS) {
            Some(Self::Labels)
        } else {
            has(&INPUTS).then_some(Self::Inputs)
        }
    }
}

/// What a name says beside part and role: files that belong together have it in common.
pub(super) fn key(name: &str) -> String {
    let words = words(name);
    let words = words.iter().map(|word| split(word).1);
    let is_key = |word: &&str| {
        !word.is_empty()
            && ![&INPUTS[..], &LABELS, &FILLERS]
                .iter()
                .any(|names| names.contains(word))
    };
    words.filter(is_key).collect::<Vec<_>>().join(" ")
}

/// The words of a name in small letters.
fn words(name: &str) -> Vec<String> {
    let name = name.to_lowercase();
    let words = name.split(|c: char| !c.is_alphanumeric());
    words
        .filter(|word| !word.is_empty())
        .map(String::from)
        .collect()
}

/// The part that a word says, and what is left of it: `xtrain` is `x` of the training part.
fn split(word: &str) -> (Option<Part>, &str) {
    for (name, part) in PARTS {
        let rest = word.strip_prefix(name).or(word.strip_suffix(name));
        if let Some(rest) = rest
            && (rest.is_empty() || INPUTS.contains(&rest) || LABELS.contains(&rest))
        {
            return (Some(part), rest);
        }
    }
    (None, word)
}

/// A name by which `image-2` comes before `image-10`.
pub(super) fn natural(name: &str) -> String {
    let mut key = String::with_capacity(name.len() + 20);
    let mut digits = String::new();
    for c in name.chars().chain(['\0']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if !digits.is_empty() {
            key += &format!("{:0>20}", digits.trim_start_matches('0'));
            digits.clear();
        }
        key.push(c);
    }
    key
}
