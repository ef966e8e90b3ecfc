//! Parses `--vary KEY=V1,V2,…`.

use std::str::FromStr;

/// A setting and the values that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vary {
    /// The setting.
    pub key: String,
    /// Its values, as the user wrote them.
    pub values: Vec<String>,
}

impl FromStr for Vary {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected KEY=VALUE,VALUE,…, such as beta=0.1,0.2".to_string();
        let (key, values) = text.split_once('=').ok_or_else(wrong)?;
        let (key, values) = (key.trim(), split(values));
        match key.is_empty() || values.iter().any(String::is_empty) {
            true => Err(wrong()),
            false => Ok(Self {
                key: key.to_string(),
                values,
            }),
        }
    }
}

/// Splits a list at its commas, except those inside brackets and quotes.
pub(super) fn split(list: &str) -> Vec<String> {
    let (mut depth, mut is_text) = (0, false);
    let parts = list.split(|c| {
        match c {
            '"' => is_text = !is_text,
            '[' | '{' if !is_text => depth += 1,
            ']' | '}' if !is_text => depth -= 1,
            _ => {}
        }
        c == ',' && depth <= 0 && !is_text
    });
    parts.map(|part| part.trim().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::Vary;

    #[test]
    fn values_are_split_at_commas_outside_of_brackets_and_quotes() {
        for (text, key, values) in [
            ("beta=0.1, 0.2", "beta", &["0.1", "0.2"][..]),
            ("beta=0.1", "beta", &["0.1"]),
            ("hidden=[50,50],[100]", "hidden", &["[50,50]", "[100]"]),
            (
                r#"hidden_activation=tanh,{"clipped_relu": {"max": 6}}"#,
                "hidden_activation",
                &["tanh", r#"{"clipped_relu": {"max": 6}}"#],
            ),
            (r#"a="b,]c",d"#, "a", &[r#""b,]c""#, "d"]),
        ] {
            let vary: Vary = text.parse().expect("a list");
            assert_eq!(
                (vary.key.as_str(), &vary.values[..]),
                (
                    key,
                    &values.iter().map(|v| v.to_string()).collect::<Vec<_>>()[..]
                )
            );
        }
        for wrong in ["beta", "=1,2", "beta=", "beta=1,,2", "beta=1,"] {
            assert!(wrong.parse::<Vary>().is_err(), "{wrong}");
        }
    }
}
