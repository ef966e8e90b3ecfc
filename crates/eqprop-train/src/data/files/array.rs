//! Arrays as they are stored in files.

use std::path::Path;

pub(super) use super::element::Element;
use super::error::FilesError;
use super::labels::{class_name, is_whole};
use super::raw::RawPart;
use super::target_error::TargetError;
use super::targets::TargetReader;

/// Header of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ArrayHeader {
    pub shape: Vec<usize>,
    pub element: Element,
    pub is_big_endian: bool,
    /// Whether the array is in Fortran order: the first axis varies fastest.
    pub is_fortran: bool,
}

impl ArrayHeader {
    /// Returns the number of elements.
    pub fn len(&self) -> Option<usize> {
        let mut axes = self.shape.iter();
        axes.try_fold(1usize, |n, &axis| n.checked_mul(axis))
    }

    /// Returns the number of bytes.
    pub fn n_bytes(&self) -> Option<usize> {
        self.len()?.checked_mul(self.element.n_bytes()?)
    }

    /// Returns the number of examples: the length of the first axis.
    pub fn n_examples(&self) -> usize {
        self.shape.first().copied().unwrap_or(0)
    }

    /// Returns the shape of an example.
    pub fn example(&self) -> &[usize] {
        self.shape.get(1..).unwrap_or_default()
    }

    /// Returns whether the numbers of an example are not contiguous.
    pub fn is_scattered(&self) -> bool {
        self.is_fortran && self.shape.len() > 1
    }

    /// Returns the numbers in C order, with the last axis varying fastest. Text has none.
    pub fn numbers(&self, bytes: &[u8]) -> Vec<f32> {
        let n = self.element.n_bytes().unwrap_or(1).max(1);
        let mut numbers = Vec::with_capacity(bytes.len() / n);
        self.element.extend(&mut numbers, bytes, self.is_big_endian);
        if self.is_scattered() {
            in_c_order(&numbers, &self.shape)
        } else {
            numbers
        }
    }

    /// Adds the elements as targets to `part`.
    pub fn targets(
        &self,
        bytes: &[u8],
        path: &Path,
        reader: &mut TargetReader,
        part: &mut RawPart,
    ) -> Result<(), FilesError> {
        if self.n_targets() > 1 {
            return self.rows(bytes, path, reader, part);
        }
        let n = self.element.n_bytes().unwrap_or(0);
        for (index, item) in bytes.chunks_exact(n.max(1)).enumerate() {
            let place = |found: String| [format!("example {}", index + 1), found];
            if self.element.is_text() {
                let text = self.text(item);
                let (class, number) = (class_name(&text), reader.number(&text));
                reader.add(path, Ok(&class), number, || place(text), part)?;
                continue;
            }
            let label = self.element.value(item, self.is_big_endian);
            let name = format!("{label:.0}");
            let class = is_whole(label).then_some(&*name);
            let class = class.ok_or_else(|| {
                FilesError::Targets(TargetError::FractionalLabel {
                    path: path.into(),
                    example: index + 1,
                    label,
                })
            });
            let place = || place(label.to_string());
            reader.add(path, class, Some(label), place, part)?;
        }
        Ok(())
    }

    /// Returns the number of targets of each example.
    pub fn n_targets(&self) -> usize {
        self.example().first().copied().unwrap_or(1)
    }

    /// Reads rows as one-hot classes, or else as quantities or labels.
    fn rows(
        &self,
        bytes: &[u8],
        path: &Path,
        reader: &mut TargetReader,
        part: &mut RawPart,
    ) -> Result<(), FilesError> {
        let (numbers, n_columns) = (self.numbers(bytes), self.n_targets());
        for (index, row) in numbers.chunks_exact(n_columns).enumerate() {
            let no_class = || {
                let reason = format!(
                    "label {} is a row of {n_columns} numbers, of which not one is 1 and the others 0: \
                     one number for each example is needed, or the task `labels`, where it may have several, or \
                     `regression`",
                    index + 1
                );
                FilesError::array(path, "labels", reason)
            };
            reader.add_class(
                |names| match one_hot(row) {
                    Some(class) => names.number(path, &class.to_string()),
                    None => Err(no_class()),
                },
                part,
            )?;
            for (column, &number) in row.iter().enumerate() {
                let place = || {
                    let place = format!("example {}, column {}", index + 1, column + 1);
                    [place, number.to_string()]
                };
                reader.add_number(path, Some(number.into()), place, part)?;
            }
        }
        Ok(())
    }

    /// Returns one element as text, without trailing zeros.
    fn text(&self, item: &[u8]) -> String {
        let text = match self.element {
            Element::WideText(_) => {
                let letters = item.chunks_exact(4).map(|letter| {
                    let letter: [u8; 4] = letter.try_into().expect("chunks of four");
                    let code = match self.is_big_endian {
                        true => u32::from_be_bytes(letter),
                        false => u32::from_le_bytes(letter),
                    };
                    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
                });
                letters.collect()
            }
            _ => String::from_utf8_lossy(item).into_owned(),
        };
        text.trim_end_matches('\0').to_string()
    }
}

/// Returns the index of the 1 among zeros.
fn one_hot(row: &[f32]) -> Option<usize> {
    let ones = row.iter().filter(|&&x| x == 1.0).count();
    let zeros = row.iter().filter(|&&x| x == 0.0).count();
    let class = row.iter().position(|&x| x == 1.0);
    class.filter(|_| ones == 1 && zeros == row.len() - 1)
}

/// Converts numbers from Fortran order to C order.
fn in_c_order(numbers: &[f32], shape: &[usize]) -> Vec<f32> {
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = 1;
    for &axis in shape {
        strides.push(stride);
        stride *= axis;
    }
    let mut place = vec![0; shape.len()];
    let mut from = 0;
    let mut ordered = Vec::with_capacity(numbers.len());
    for _ in 0..numbers.len() {
        ordered.push(numbers[from]);
        for axis in (0..shape.len()).rev() {
            place[axis] += 1;
            from += strides[axis];
            if place[axis] < shape[axis] {
                break;
            }
            from -= strides[axis] * shape[axis];
            place[axis] = 0;
        }
    }
    ordered
}
