//! `eqprop watch`.

mod answer;
mod contrast;
mod course;
mod live;
mod question;
mod server;
mod watched;

use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::json;

use crate::cli::WatchArguments;
use crate::interrupt::Interrupt;
use crate::output::{Report, say, text_of};
use server::Server;
use watched::Watched;

/// How often the main thread checks whether it should stop.
const TICK: Duration = Duration::from_millis(100);

/// Serves a page that shows how a trained network relaxes, until the program is interrupted.
///
/// # Errors
/// If the run, its data or the device cannot be used, the network does not classify, or the port is taken.
pub fn run(arguments: WatchArguments) -> Result<Report> {
    let mut watched = Watched::open(&arguments)?;
    let server = Server::start(arguments.port)?;
    let interrupt = Interrupt::listen();
    let run = arguments.run.display();
    say(format_args!(
        "watch `{run}` at {}; Ctrl-C ends it",
        server.address()
    ));
    let mut n_answers = 0;
    // This thread answers the questions, because it is one of the threads that compute.
    while !interrupt.is_set() {
        match server.questions().recv_timeout(TICK) {
            Ok(question) => {
                answer::answer(question, &mut watched);
                n_answers += 1;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => bail!("the page can no longer be served"),
        }
    }
    let report = json!({
        "run": text_of(&arguments.run),
        "address": server.address(),
        "n_answers": n_answers,
    });
    Ok(Report::new(String::new(), &report))
}
