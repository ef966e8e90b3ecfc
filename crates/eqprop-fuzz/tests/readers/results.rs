//! Results that `compare` continues from.

use std::path::Path;

use bolero::check;
use eqprop_bench::comparison::StoredComparison;

use crate::reader::{Input, Limit, Reader};
use crate::seed::{FILE, Files, Seed};

/// An epoch takes some 100 bytes in memory and not many fewer in the text.
const LIMIT: Limit = Limit {
    times: 64,
    plus: 1 << 20,
};

fn change(input: &Input, seeds: &[Seed]) -> Files {
    let (seed, donor) = input.pick(seeds);
    let (bytes, donor) = (seed.files[0].1.clone(), &donor.files[0].1);
    vec![(FILE.to_string(), input.edit(bytes, donor))]
}

fn read(folder: &Path) -> Result<(), String> {
    let bytes = std::fs::read(folder.join(FILE)).map_err(|error| error.to_string())?;
    let stored = StoredComparison::from_json(&bytes).map_err(|error| error.to_string())?;
    stored.comparison.summaries();
    Ok(())
}

#[test]
fn results_of_comparisons() {
    let reader = Reader::new("results", LIMIT, change, read);
    check!().with_type().for_each(|input| reader.check(input));
}
