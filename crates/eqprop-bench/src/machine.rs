//! The machine of a measurement.

use std::ffi::OsStr;

use serde::Serialize;

/// The machine and the build.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Model of the processor.
    pub processor: String,
    /// Number of processor cores that this program may use.
    pub cores: usize,
    /// Main memory in bytes.
    pub memory: u64,
    /// Operating system.
    pub system: String,
    /// The device that computed.
    pub device: String,
    /// Version of this program.
    pub eqprop: &'static str,
    /// Version of Burn.
    pub burn: &'static str,
}

/// The version of Burn that this program is written for; the lock file has no other.
const BURN: &str = "0.22.1";

impl Machine {
    /// Describes this machine, computing on `device`.
    pub fn look(device: &str) -> Self {
        let mut system = sysinfo::System::new();
        system.refresh_cpu_all();
        system.refresh_memory();
        let processor = system.cpus().first().map(|cpu| cpu.brand().trim());
        let processor = processor.filter(|brand| !brand.is_empty());
        Self {
            processor: processor.unwrap_or(std::env::consts::ARCH).to_string(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory: system.total_memory(),
            system: sysinfo::System::long_os_version()
                .unwrap_or_else(|| std::env::consts::OS.to_string()),
            device: device.to_string(),
            eqprop: env!("CARGO_PKG_VERSION"),
            burn: BURN,
        }
    }
}

/// Returns the number of threads of a CPU backend, which is decided by rayon.
pub fn threads() -> usize {
    let asked = std::env::var("RAYON_NUM_THREADS").ok();
    let asked = asked.and_then(|number| number.parse().ok());
    asked
        .filter(|&threads| threads > 0)
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Makes this thread one of those on which a CPU backend computes. Otherwise each product would wake all of
/// them and wait, which costs a small network more than the product.
pub fn compute_on_this_thread() {
    // A pool of this thread alone would not do the work of other threads while this one waits for them.
    if threads() > 1 {
        // It fails if there is a pool already, which is equally good.
        let pool = rayon::ThreadPoolBuilder::new().use_current_thread();
        let _ = pool.build_global();
    }
}

/// Returns the command line of this process, ready to be run again.
pub fn command_line() -> String {
    let arguments = std::env::args_os().skip(1);
    let arguments: Vec<_> = arguments.map(|argument| quote(&argument)).collect();
    format!("eqprop {}", arguments.join(" "))
}

/// Quotes an argument for a shell if necessary; bytes that are not UTF-8 are written by number, which bash
/// and zsh understand.
pub fn quote(argument: &OsStr) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=,:+@%".contains(&byte);
    match argument.to_str() {
        Some(text) if !text.is_empty() && text.bytes().all(is_plain) => text.to_string(),
        Some(text) => format!("'{}'", text.replace('\'', r"'\''")),
        None => {
            let bytes = argument.as_encoded_bytes().iter();
            let escaped = bytes.map(|&byte| match byte {
                byte if is_plain(byte) => char::from(byte).to_string(),
                byte => format!("\\x{byte:02x}"),
            });
            format!("$'{}'", escaped.collect::<String>())
        }
    }
}
