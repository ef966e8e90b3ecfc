//! Which examples, or which of their labels, a trained network gets right.

use serde::{Deserialize, Serialize};

/// Which of the held-out examples a trained network classified correctly, one bit each. Where an example may
/// have several labels at once there is one bit for each label of each example, and each label counts as an
/// example here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Correctness {
    n_examples: usize,
    /// Example `i` is bit `7 − i mod 8` of byte `i / 8`, as in NumPy's `unpackbits`.
    bytes: Vec<u8>,
}

/// The stored form, with the bytes in hexadecimal.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Written {
    n_examples: usize,
    bits: String,
}

impl Correctness {
    /// Packs `correct`; returns `None` if it is empty.
    pub fn of(correct: &[bool]) -> Option<Self> {
        let mut bytes = vec![0; correct.len().div_ceil(8)];
        for (example, _) in correct.iter().enumerate().filter(|(_, correct)| **correct) {
            bytes[example / 8] |= 0x80 >> (example % 8);
        }
        let n_examples = correct.len();
        (n_examples > 0).then_some(Self { n_examples, bytes })
    }

    /// Returns the number of examples.
    pub fn n_examples(&self) -> usize {
        self.n_examples
    }

    /// Returns the number of examples that were classified correctly.
    pub fn n_correct(&self) -> usize {
        self.bytes
            .iter()
            .map(|byte| byte.count_ones() as usize)
            .sum()
    }

    /// Whether `example` was classified correctly.
    ///
    /// # Panics
    /// If `example` is out of range.
    pub fn is_correct(&self, example: usize) -> bool {
        self.bytes[example / 8] & (0x80 >> (example % 8)) != 0
    }
}

impl From<Correctness> for Written {
    fn from(correctness: Correctness) -> Self {
        let digits = correctness.bytes.iter().map(|byte| format!("{byte:02x}"));
        Self {
            n_examples: correctness.n_examples,
            bits: digits.collect(),
        }
    }
}

impl TryFrom<Written> for Correctness {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { n_examples, bits } = written;
        let wrong = || format!("the bits of {n_examples} examples are not {n_examples} bits");
        let digits: Option<Vec<u8>> = bits
            .chars()
            .map(|digit| digit.to_digit(16).map(|digit| digit as u8))
            .collect();
        let digits = digits.ok_or_else(wrong)?;
        let bytes: Vec<u8> = digits
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
            .collect();
        let n_unused = (8 * bytes.len()).saturating_sub(n_examples);
        let is_whole =
            digits.len() % 2 == 0 && n_examples > 0 && bytes.len() == n_examples.div_ceil(8);
        let last = bytes.last().copied().unwrap_or_default();
        match is_whole && last & !(0xffu8 << n_unused.min(7)) == 0 {
            true => Ok(Self { n_examples, bytes }),
            false => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Correctness;

    #[test]
    fn bits_are_read_as_they_were_written() {
        let correct: Vec<bool> = (0..21).map(|example| example % 3 == 0).collect();
        let kept = Correctness::of(&correct).expect("examples");
        assert_eq!((kept.n_examples(), kept.n_correct()), (21, 7));
        let json = serde_json::to_string(&kept).expect("plain");
        assert_eq!(json, r#"{"n_examples":21,"bits":"924920"}"#);
        let read: Correctness = serde_json::from_str(&json).expect("as written");
        assert_eq!(read, kept);
        let found: Vec<bool> = (0..21).map(|example| read.is_correct(example)).collect();
        assert_eq!(found, correct);
        assert_eq!(Correctness::of(&[]), None);
    }

    #[test]
    fn bits_of_other_examples_are_refused() {
        for wrong in [
            r#"{"n_examples":21,"bits":"9249"}"#,
            r#"{"n_examples":21,"bits":"92492"}"#,
            r#"{"n_examples":21,"bits":"924921"}"#,
            r#"{"n_examples":21,"bits":"92492g"}"#,
            r#"{"n_examples":21,"bits":"92é20"}"#,
            r#"{"n_examples":0,"bits":""}"#,
            r#"{"n_examples":18446744073709551615,"bits":"92"}"#,
        ] {
            assert!(
                serde_json::from_str::<Correctness>(wrong).is_err(),
                "{wrong}"
            );
        }
    }
}
