//! Serves the page of `eqprop watch`.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr};

use crate::place::Place;

/// A program that serves the page of a run; it is ended when this value is dropped.
pub struct Page {
    pub child: Child,
    pub stderr: BufReader<ChildStderr>,
    /// Host and port.
    pub address: String,
}

impl Page {
    pub fn of(place: &Place, run: &str, arguments: &[&str]) -> Self {
        let watch = ["watch", run, "--port", "0"];
        let mut child = place.start(&[&watch[..], arguments].concat());
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        let address = loop {
            let n = stderr.read_line(&mut said).unwrap();
            assert!(n > 0, "no address: {said}");
            if let Some((_, rest)) = said.split_once("http://") {
                break rest.split('/').next().unwrap().to_string();
            }
        };
        Self {
            child,
            stderr,
            address,
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
