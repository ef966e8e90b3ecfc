use super::*;
use crate::kernel::epilogue::{Base, Rule};
use crate::kernel::out::Out;
use crate::kernel::outer;
use crate::kernel::panels::lanes;
use crate::kernel::product::{
    SomeRows, multiply, multiply_columns, multiply_once, multiply_once_packed,
};
use crate::kernel::zero_pattern::{Columns, N_PATTERNS};

/// Pseudorandom numbers in ±1, always the same for a seed.
struct Numbers(u32);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / (1 << 23) as f32 - 1.0
    }

    fn list(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.next()).collect()
    }

    /// A matrix with whole columns of zeros, and some zeros elsewhere.
    fn sparse(&mut self, rows: usize, columns: usize) -> Vec<f32> {
        let empty: Vec<bool> = (0..columns).map(|_| self.next() < -0.2).collect();
        let entry = |index: usize| match self.next() {
            x if empty[index % columns] || x > 0.6 => 0.0,
            x => x,
        };
        (0..rows * columns).map(entry).collect()
    }
}

/// `A B` in `f64`.
fn plain(a: &[f32], b: &[f32], [rows, depth, columns]: [usize; 3]) -> Vec<f64> {
    let entry = |index: usize| {
        let (row, column) = (index / columns, index % columns);
        let terms = (0..depth).map(|k| [a[row * depth + k], b[k * columns + column]]);
        terms.map(|[a, b]| f64::from(a) * f64::from(b)).sum()
    };
    (0..rows * columns).map(entry).collect()
}

fn starts(rows: usize, depth: usize) -> Vec<usize> {
    (0..rows).map(|row| row * depth).collect()
}

/// The rows of a matrix.
fn rows_of<'a>(data: &'a [f32], starts: &'a [usize], depth: usize) -> Left<'a> {
    Left::matrix(data, starts, depth)
}

fn transposed(matrix: &[f32], columns: usize) -> Vec<f32> {
    let rows = matrix.len() / columns;
    let entry = |index: usize| matrix[index % rows * columns + index / rows];
    (0..matrix.len()).map(entry).collect()
}

fn assert_close(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        // Sums of up to 70 products of order 1 in f32.
        let error = (f64::from(*found) - expected).abs();
        assert!(error < 1e-5, "{what}: {found} for {expected}");
    }
}

/// Numbers of rows with tiles of every height, and columns that fill panels, end within a vector, or both.
fn sizes() -> impl Iterator<Item = [usize; 3]> {
    let rows = [1, 2, 3, 5, 7, 8, 23];
    let columns = [1, 9, 16, 33, 48, 50, 70, 96, 97, 131];
    rows.into_iter()
        .flat_map(move |rows| columns.map(|columns| [rows, 70, columns]))
}

#[test]
fn products_of_every_size_are_sums_of_products_of_numbers() {
    for size in sizes() {
        let [rows, depth, columns] = size;
        let mut numbers = Numbers(1);
        let (a, b) = (numbers.sparse(rows, depth), numbers.list(depth * columns));
        let starts = starts(rows, depth);
        let left = rows_of(&a, &starts, depth);
        let expected = plain(&a, &b, size);
        let panels = [
            Panels::of_columns(&b, columns, 0..columns),
            Panels::of_transposed(&transposed(&b, columns), columns),
            Panels::new(depth, columns, |row, column| b[row * columns + column]),
        ];
        let mut out = vec![f32::NAN; rows * columns];
        for right in &panels {
            out.fill(f32::NAN);
            let zeros = &mut ZeroPattern::default();
            multiply(left, right, Epilogue::SET, &mut out, columns, zeros);
            assert_close(&out, &expected, &format!("packed, {size:?}"));
            out.fill(f32::NAN);
            let below = Columns::new(&transposed(&a, depth), rows, 0..rows);
            multiply_columns(&below, right, Epilogue::SET, &mut out, columns);
            assert_close(&out, &expected, &format!("columns, {size:?}"));
        }
        out.fill(f32::NAN);
        multiply_once(left, &b, columns, 0..columns, Out::new(&mut out));
        assert_close(&out, &expected, &format!("once, {size:?}"));
        // Some of the columns; the others stay as they are.
        let part = columns / 3..columns;
        let some = starts.chunks(4).map(|starts| Left { starts, ..left });
        let some: Vec<_> = some.map(|left| SomeRows::new(left, columns)).collect();
        let mut expected = expected;
        for row in expected.chunks_exact_mut(columns) {
            row[..part.start].fill(7.0);
        }
        out.fill(7.0);
        multiply_once(left, &b, columns, part.clone(), Out::new(&mut out));
        assert_close(&out, &expected, &format!("some columns, {size:?}"));
        out.fill(7.0);
        multiply_once_packed(&some, &b, columns, part, Out::new(&mut out));
        assert_close(&out, &expected, &format!("panel by panel, {size:?}"));
    }
}

/// With few rows and with many, on one thread and on several.
#[test]
fn a_product_for_a_single_use_is_right_however_it_is_shared_out() {
    for size in [
        [5, 70, 33],
        [90, 70, 10],
        [3000, 70, 10],
        [20, 70, 3000],
        [90, 70, 1000],
    ] {
        let [rows, depth, columns] = size;
        let mut numbers = Numbers(4);
        let (a, b) = (numbers.sparse(rows, depth), numbers.list(depth * columns));
        let found = outer::product(&a, &b, size);
        assert_close(&found, &plain(&a, &b, size), &format!("{size:?}"));
    }
}

/// Right factors with few columns, with few rows, and with just too many of either.
fn small_sizes() -> impl Iterator<Item = [usize; 3]> {
    let columns = [1, 3, 5, 10, 11].map(|columns| [[70, columns], [32, columns]]);
    let depths = [1, 3, 5, 10, 11].map(|depth| [[depth, 131], [depth, 32]]);
    let sizes = columns.into_iter().chain(depths).flatten();
    sizes.flat_map(|[depth, columns]| [1, 2, 3, 7, 23].map(|rows| [rows, depth, columns]))
}

#[test]
fn a_product_ends_in_each_base_and_each_rule() {
    for size in sizes() {
        let right = |b: &[f32], [_, _, columns]: [usize; 3]| {
            Right::Panels(Panels::of_columns(b, columns, 0..columns))
        };
        check_finish(size, right, product);
    }
    for size in small_sizes() {
        let of_rows =
            |b: &[f32], [_, depth, columns]: [usize; 3]| Right::of_rows(b, depth, columns);
        check_finish(size, of_rows, product);
        let of_transposed = |b: &[f32], [_, depth, columns]: [usize; 3]| {
            Right::of_transposed(&transposed(b, columns), depth, columns)
        };
        check_finish(size, of_transposed, product);
        let new = |b: &[f32], [_, depth, columns]: [usize; 3]| {
            Right::new(depth, columns, |row, column| b[row * columns + column])
        };
        check_finish(size, new, product);
    }
}

#[test]
fn a_product_with_the_transpose_ends_in_each_base_and_each_rule() {
    for [rows, columns, depth] in sizes() {
        // The transpose of B, row by row, is what is packed.
        let packed = |b: &[f32], [_, depth, columns]: [usize; 3]| {
            let transpose = transposed(b, columns);
            Right::Panels(Panels::of_columns(&transpose, depth, 0..depth))
        };
        for n_threads in [1, 2, 3] {
            check_finish(
                [rows, depth, columns],
                packed,
                |right, left, epilogue, out| {
                    right.multiply_transposed(n_threads, left, epilogue, out);
                },
            );
        }
    }
}

#[test]
fn threads_that_divide_the_columns_compute_what_one_does() {
    for [rows, depth, columns] in [[1, 70, 97], [5, 70, 300], [23, 70, 1000]] {
        let mut numbers = Numbers(5);
        let (a, b) = (numbers.sparse(rows, depth), numbers.list(depth * columns));
        let starts = starts(rows, depth);
        let left = rows_of(&a, &starts, depth);
        let right = Right::of_rows(&b, depth, columns);
        let on = |n_threads| {
            let mut out = vec![f32::NAN; rows * columns];
            let zeros = &mut ZeroPattern::default();
            right.multiply_on(n_threads, left, Epilogue::SET, (&mut out, columns), zeros);
            out
        };
        let alone = on(1);
        assert_close(&alone, &plain(&a, &b, [rows, depth, columns]), "alone");
        for n_threads in [2, 3, 50] {
            assert!(on(n_threads) == alone, "{n_threads} threads");
        }
    }
}

fn product(
    right: &Right,
    left: Left<'_>,
    epilogue: Epilogue<'_>,
    (out, stride): (&mut [f32], usize),
) {
    right.multiply(left, epilogue, out, stride, &mut ZeroPattern::default());
}

#[test]
fn right_factors_are_laid_out_as_fits_their_size() {
    let layout = |depth: usize, columns: usize| match Right::of_rows(
        &vec![1.0; depth * columns],
        depth,
        columns,
    ) {
        Right::Panels(_) => "panels",
        Right::Narrow(_) => "narrow",
        Right::Shallow(_) => "shallow",
    };
    let small = |name| if lanes() >= 16 { name } else { "panels" };
    assert_eq!(layout(70, 10), small("narrow"));
    assert_eq!(layout(10, 70), small("shallow"));
    assert_eq!([layout(70, 11), layout(11, 70)], ["panels"; 2]);
}

fn check_finish(
    size: [usize; 3],
    right: impl Fn(&[f32], [usize; 3]) -> Right,
    multiply: impl Fn(&Right, Left<'_>, Epilogue<'_>, (&mut [f32], usize)),
) {
    let bounds = [-0.3f32, 0.4];
    let [rows, depth, columns] = size;
    let n = rows * columns;
    let mut numbers = Numbers(2);
    let (a, b) = (numbers.sparse(rows, depth), numbers.list(depth * columns));
    let [before, other, state] = [(); 3].map(|()| numbers.list(n));
    let row = numbers.list(columns);
    let starts = starts(rows, depth);
    let left = rows_of(&a, &starts, depth);
    let right = right(&b, size);
    let product = plain(&a, &b, size);
    let bases: [(Base<'_>, &dyn Fn(usize) -> f32); 4] = [
        (Base::Zero, &|_| 0.0),
        (Base::Out, &|index| before[index]),
        (Base::Other(&other), &|index| other[index]),
        (Base::Row(&row), &|index| row[index % columns]),
    ];
    let flow = Rule::Flow {
        state: &state,
        step_size: 0.3,
        bounds,
    };
    for (base, value) in bases {
        for rule in [Rule::Keep, Rule::Clip { bounds }, flow] {
            let mut out = before.clone();
            multiply(&right, left, Epilogue { base, rule }, (&mut out, columns));
            let [low, high] = bounds.map(f64::from);
            let expected = product.iter().enumerate().map(|(index, product)| {
                let drive = product + f64::from(value(index));
                let moved = f64::from(state[index]) * 0.7 + drive * 0.3;
                match rule {
                    Rule::Keep => drive,
                    Rule::Clip { .. } => drive.clamp(low, high),
                    Rule::Flow { .. } => moved.clamp(low, high),
                }
            });
            let expected: Vec<f64> = expected.collect();
            assert_close(&out, &expected, &format!("{base:?}, {rule:?}, {size:?}"));
        }
    }
}

#[test]
fn places_are_found_by_which_rows_of_the_tile_are_not_0() {
    let mut data = vec![0.0; 9 * 40];
    // −0 counts as 0; the last of nine rows has a tile of its own.
    (data[7], data[3 * 40 + 11], data[8 * 40 + 2]) = (-0.0, 1e-40, f32::NAN);
    (data[20], data[3 * 40 + 20], data[30]) = (1.0, 2.0, 3.0);
    let mut zeros = ZeroPattern::default();
    zeros.find(rows_of(&data, &starts(9, 40), 40));
    let found = |tile: usize| -> Vec<(usize, Vec<u32>)> {
        let places = zeros.of_tile(tile).expect("nearly all is 0");
        let of_pattern = |pattern| (pattern, places.of(pattern).to_vec());
        let any = (1..N_PATTERNS).map(of_pattern);
        any.filter(|(_, places)| !places.is_empty()).collect()
    };
    assert_eq!(
        found(0),
        [(0b0001, vec![30]), (0b1000, vec![11]), (0b1001, vec![20])]
    );
    assert_eq!(found(1), []);
    assert_eq!(found(2), [(0b0001, vec![2])]);
}

#[test]
fn places_are_found_anew_when_zeros_move() {
    let mut numbers = Numbers(3);
    let [depth, columns] = [70, 131];
    let b = numbers.list(depth * columns);
    let right = Panels::of_columns(&b, columns, 0..columns);
    let mut zeros = ZeroPattern::default();
    let full = |numbers: &mut Numbers, n: usize| numbers.list(n * depth);
    let sparse = |numbers: &mut Numbers, n: usize| numbers.sparse(n, depth);
    type Kind<'a> = &'a dyn Fn(&mut Numbers, usize) -> Vec<f32>;
    let factors: [(usize, Kind<'_>); 6] = [
        (7, &full),
        (7, &sparse),
        (7, &sparse),
        (7, &full),
        (23, &sparse),
        (3, &full),
    ];
    for (rows, kind) in factors {
        let a = kind(&mut numbers, rows);
        let starts = starts(rows, depth);
        let mut out = vec![f32::NAN; rows * columns];
        let left = rows_of(&a, &starts, depth);
        multiply(left, &right, Epilogue::SET, &mut out, columns, &mut zeros);
        let expected = plain(&a, &b, [rows, depth, columns]);
        assert_close(&out, &expected, &format!("{rows} rows"));
    }
}
