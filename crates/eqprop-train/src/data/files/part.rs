//! Parts and roles of data, from the names of folders, files and arrays.

/// Part of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Train,
    Validation,
    Test,
}

/// Role of an array.
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

/// Further words in the names of IDX files.
const FILLERS: [&str; 7] = ["idx1", "idx2", "idx3", "idx4", "ubyte", "int", "raw"];

impl Part {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "training",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }

    /// Returns the part indicated by a name.
    pub fn of(name: &str) -> Option<Self> {
        words(name).iter().find_map(|word| split(word).0)
    }
}

impl Role {
    /// Returns the role indicated by a name. Labels of images are labels.
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

/// Returns the rest of a name without part and role, by which matching files are paired.
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

/// Splits a name into lower-case words.
fn words(name: &str) -> Vec<String> {
    let name = name.to_lowercase();
    let words = name.split(|c: char| !c.is_alphanumeric());
    words
        .filter(|word| !word.is_empty())
        .map(String::from)
        .collect()
}

/// Splits a word into the part it indicates and the rest: `xtrain` is `x` of the training part.
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

/// Returns a sort key by which `image-2` comes before `image-10`.
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
