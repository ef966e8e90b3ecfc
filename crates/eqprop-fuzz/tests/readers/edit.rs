//! Changes of JSON values.

use bolero::TypeGenerator;
use serde_json::Value;

/// Replacements for a number, a name or a list.
const EXTREMES: [&str; 24] = [
    "null",
    "true",
    "0",
    "-1",
    "1",
    "2",
    "3",
    "255",
    "4294967296",
    "4611686018427387904",
    "9223372036854775807",
    "18446744073709551615",
    "-9223372036854775808",
    "0.5",
    "1e-300",
    "5e-324",
    "1e39",
    "1e308",
    "-1e308",
    "\"\"",
    "\"NaN\"",
    "[]",
    "{}",
    "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
];

/// A change of a JSON document, whose values are numbered in the order of the text.
#[derive(Debug, Clone, TypeGenerator)]
pub enum Edit {
    /// Replaces a value by an extreme one.
    Extreme { at: u16, value: u8 },
    /// Replaces a value by another one of the same document.
    Copy { at: u16, from: u16 },
    /// Multiplies a number by a power of ten.
    Scale { at: u16, exponent: i8 },
    /// Removes an element or a key.
    Remove { at: u16, child: u8 },
    /// Inserts an element or a key.
    Add { at: u16, from: u16 },
}

impl Edit {
    /// Applies the change to `document`.
    pub fn apply(&self, document: &mut Value) {
        let n = count(document);
        let pick = |at: u16| usize::from(at) % n;
        match *self {
            Self::Extreme { at, value } => {
                let text = EXTREMES[usize::from(value) % EXTREMES.len()];
                *nth(document, pick(at)) = serde_json::from_str(text).expect("valid JSON");
            }
            Self::Copy { at, from } => {
                let copy = nth(document, pick(from)).clone();
                *nth(document, pick(at)) = copy;
            }
            Self::Scale { at, exponent } => {
                let value = nth(document, pick(at));
                if let Some(number) = value.as_f64() {
                    // A number that is not finite becomes `null`.
                    *value = Value::from(number * 10f64.powi(exponent.into()));
                }
            }
            Self::Remove { at, child } => match nth(document, pick(at)) {
                Value::Array(values) if !values.is_empty() => {
                    values.remove(usize::from(child) % values.len());
                }
                Value::Object(fields) if !fields.is_empty() => {
                    let index = usize::from(child) % fields.len();
                    let key = fields.keys().nth(index).expect("a field").clone();
                    fields.remove(&key);
                }
                _ => {}
            },
            Self::Add { at, from } => {
                let copy = nth(document, pick(from)).clone();
                match nth(document, pick(at)) {
                    Value::Array(values) => values.push(copy),
                    Value::Object(fields) => {
                        fields.insert("added".to_string(), copy);
                    }
                    _ => {}
                }
            }
        }
    }
}

/// The number of values in `value`, including itself.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(values) => values.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

/// The value with this number within `value`, which has number 0.
fn nth(value: &mut Value, number: usize) -> &mut Value {
    let Some(mut rest) = number.checked_sub(1) else {
        return value;
    };
    let children: Box<dyn Iterator<Item = &mut Value>> = match value {
        Value::Array(values) => Box::new(values.iter_mut()),
        Value::Object(fields) => Box::new(fields.values_mut()),
        _ => unreachable!("a number below the count"),
    };
    for child in children {
        let n = count(child);
        if rest < n {
            return nth(child, rest);
        }
        rest -= n;
    }
    unreachable!("a number below the count")
}
