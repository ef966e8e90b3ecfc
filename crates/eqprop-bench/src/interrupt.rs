//! Handles Ctrl-C and the signals of schedulers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::output::say;

/// Whether the user or a scheduler has asked to stop.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens for Ctrl-C, and on Unix for SIGTERM and SIGHUP; a second one ends the program at once.
    pub fn listen() -> Self {
        let interrupt = Self::default();
        let flag = interrupt.0.clone();
        // If the handler cannot be installed, Ctrl-C ends the program, which the checkpoints survive: there
        // is nothing to report.
        let _ = ctrlc::set_handler(move || {
            if flag.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
            // Printed by this thread: a step of a large network can take long.
            say("stopping after this step; once more to stop at once");
        });
        interrupt
    }

    /// Whether a stop was requested.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
