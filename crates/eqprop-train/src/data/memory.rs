//! The size of this machine's memory.

use std::sync::OnceLock;

/// Largest fraction of the machine's memory that one allocation may take, leaving room for others.
pub(crate) const SHARE: f64 = 0.5;

/// Largest expansion ratio of deflate: 258 bytes from two bits.
pub(crate) const MAX_RATIO: u64 = 1032;

/// Returns the memory of this machine in bytes; if unknown, more than any machine has.
pub(crate) fn memory() -> f64 {
    /// 16 TiB.
    const UNKNOWN: f64 = (1u64 << 44) as f64;
    static MEMORY: OnceLock<f64> = OnceLock::new();
    *MEMORY.get_or_init(|| {
        let table = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let total = table
            .lines()
            .find_map(|line| line.strip_prefix("MemTotal:"));
        let total = total.and_then(|rest| rest.trim().strip_suffix(" kB"));
        let kibibytes = total.and_then(|number| number.trim().parse::<f64>().ok());
        kibibytes.map_or(UNKNOWN, |number| number * 1024.0)
    })
}
