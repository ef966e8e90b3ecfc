//! Suggestions for misspelled names.

/// Least similarity, in [0, 1], at which one name is taken for a misspelling of the other.
const LIKENESS: f64 = 0.75;

/// Returns the one of `known` that is most similar to `name`, if any is similar enough.
///
/// Case, and `-` for `_`, make no difference: `Fashion_MNIST` is `fashion-mnist`.
pub fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |name: &str| name.trim().to_lowercase().replace(['_', ' '], "-");
    let name = plain(name);
    let likeness = |known: &str| {
        let known = plain(known);
        // One wrong letter is a third of a short name.
        match strsim::damerau_levenshtein(&name, &known) {
            0 => 1.0,
            1 if known.chars().count() > 2 => 0.99,
            _ => strsim::normalized_damerau_levenshtein(&name, &known),
        }
    };
    let known = known.into_iter().map(|known| (likeness(known), known));
    let alike = known.filter(|(likeness, _)| *likeness >= LIKENESS);
    // Of equally similar names the first.
    let best = alike.reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.map(|(_, known)| known)
}

/// Returns a suffix for a message about `name`: "; did you mean `…`?", or nothing.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match closest(name, known) {
        Some(known) => format!("; did you mean `{known}`?"),
        None => String::new(),
    }
}

/// Returns the same suffix for a name that serde does not know, from its message: "unknown variant `x`,
/// expected one of `y`, `z`".
pub fn did_serde_mean(message: &str) -> String {
    let words: Vec<_> = message.split('`').skip(1).step_by(2).collect();
    match words[..] {
        [name, ref known @ ..] if message.contains("unknown ") => {
            did_you_mean(name, known.iter().copied())
        }
        _ => String::new(),
    }
}

/// Formats the first of many names, shortened.
pub fn first_names(names: &[String]) -> String {
    const MOST: usize = 12;
    const MOST_LETTERS: usize = 60;
    let shown = names.iter().take(MOST).map(|name| {
        let shown: String = name.chars().take(MOST_LETTERS).collect();
        shown.replace(char::is_control, "?")
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST) {
        _ if names.is_empty() => "none".into(),
        0 => shown,
        n => format!("{shown} and {n} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::{closest, did_serde_mean};

    #[test]
    fn a_name_one_letter_off_is_recognized_and_another_is_not() {
        let presets = ["digits", "paper-1h", "paper-2h", "pcn-mnist", "drn-xs"];
        for (name, expected) in [
            ("digit", Some("digits")),
            ("digitss", Some("digits")),
            ("dgiits", Some("digits")),
            ("Digits", Some("digits")),
            ("paper_2h", Some("paper-2h")),
            ("paper1h", Some("paper-1h")),
            ("pcnmnist", Some("pcn-mnist")),
            ("drn-sx", Some("drn-xs")),
            ("resnet", None),
            ("", None),
        ] {
            assert_eq!(closest(name, presets), expected, "{name}");
        }
        assert_eq!(closest("rpb", ["rbp", "tbp"]), Some("rbp"));
        assert_eq!(closest("beta", ["beta", "betas"]), Some("beta"));
    }

    #[test]
    fn what_serde_does_not_know_is_compared_with_what_it_expects() {
        let message = "unknown variant `centred`, expected one of `one_sided`, `centered`";
        assert_eq!(did_serde_mean(message), "; did you mean `centered`?");
        assert_eq!(did_serde_mean("missing field `kernel`"), "");
    }
}
