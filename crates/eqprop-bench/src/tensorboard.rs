//! Writes the measurements of a run's epochs as event files, which TensorBoard reads.
//!
//! An event file is a sequence of records, each a protocol buffer `Event` between its length and its
//! checksum:
//!
//! ```text
//! length: u64    crc(length): u32    event: [u8; length]    crc(event): u32         little endian
//! ```

mod event;
mod record;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use eqprop_train::training::EpochRecord;

use event::{Scalar, scalars, step, version};
use record::Records;

/// The prefix of the names of event files, and the suffix of those of this program.
const NAME: [&str; 2] = ["events.out.tfevents.", ".eqprop"];

/// The event file of a run, which grows by one event per epoch.
///
/// TensorBoard follows a file as it grows, but not one that replaces it. This file is therefore appended to;
/// when the run resumes, a record that a killed process left half written is cut off.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
    /// The offset at which the events of the epochs begin, then the end of each epoch's event.
    ends: Vec<u64>,
}

/// The measurements of an epoch, under the names they have in `metrics.csv`.
pub type Measured = Vec<(String, Option<f64>)>;

impl EventFile {
    /// Whether `folder` holds an event file of this program.
    pub fn is_in(folder: &Path) -> bool {
        find(folder).is_some()
    }

    /// Opens the event file in `folder`, and creates it if it does not exist.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn open(folder: &Path) -> Result<Self> {
        let cannot = |path: &Path| {
            let path = path.display();
            format!(
                "cannot write TensorBoard's events to `{path}`: check its permissions and the space left"
            )
        };
        fs::create_dir_all(folder).with_context(|| cannot(folder))?;
        let path = match find(folder) {
            Some(path) => path,
            None => folder.join(format!("{}{:010}{}", NAME[0], now() as u64, NAME[1])),
        };
        Self::open_at(path.clone()).with_context(|| cannot(&path))
    }

    fn open_at(path: PathBuf) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)?;
        let mut records = Records::read(&mut file)?;
        let mut ends = Vec::new();
        while let Some(event) = records.advance() {
            // One event is extra: the version comes first, then the epochs from 1 on.
            if step(event) != ends.len() as u64 {
                break;
            }
            ends.push(records.end());
        }
        let mut events = Self { path, file, ends };
        match events.ends.last() {
            Some(&end) => events.file.set_len(end)?,
            None => {
                events.file.set_len(0)?;
                events.append(&version(now()))?;
            }
        }
        Ok(events)
    }

    /// Brings the file up to date with `records`; `measured` returns the measurements of an epoch.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(
        &mut self,
        records: &[EpochRecord],
        measured: impl Fn(&EpochRecord) -> Measured,
    ) -> Result<()> {
        let mut write = || -> io::Result<()> {
            // A run that was reset by hand to an earlier checkpoint repeats the epochs after it.
            if records.len() + 1 < self.ends.len() {
                self.ends.truncate(records.len() + 1);
                self.file.set_len(self.ends[records.len()])?;
            }
            for record in &records[self.ends.len() - 1..] {
                let values = measured(record).into_iter().filter_map(|(name, value)| {
                    let tag = tag(&name);
                    value.map(|value| Scalar { tag, value })
                });
                let event = scalars(now(), record.epoch as u64, &values.collect::<Vec<_>>());
                self.append(&event)?;
            }
            Ok(())
        };
        let written = write();
        let path = self.path.display();
        written.with_context(|| {
            format!("cannot write TensorBoard's events to `{path}`: check the space left")
        })
    }

    /// Appends an event.
    fn append(&mut self, event: &[u8]) -> io::Result<()> {
        let start = self.ends.last().copied().unwrap_or(0);
        let bytes = record::of(event);
        self.file.seek(SeekFrom::Start(start))?;
        // In one write: TensorBoard may read at any moment.
        self.file.write_all(&bytes)?;
        self.file.flush()?;
        self.ends.push(start + bytes.len() as u64);
        Ok(())
    }
}

/// Finds the event file of this program in `folder`.
fn find(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let found = entries.filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with(NAME[0]) && name.ends_with(NAME[1])
    });
    found.map(|entry| entry.path()).min()
}

/// Returns the name of a curve: curves of one kind, such as all errors, share the part before the slash, and
/// TensorBoard shows them side by side.
fn tag(name: &str) -> String {
    for kind in ["error", "cost"] {
        if let Some(part) = name
            .strip_suffix(kind)
            .and_then(|part| part.strip_suffix('_'))
        {
            return format!("{kind}/{part}");
        }
    }
    match name.split_once('.') {
        Some((kind, part)) => format!("{kind}/{part}"),
        None => format!("training/{name}"),
    }
}

/// Returns the seconds since 1970.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |time| time.as_secs_f64())
}
