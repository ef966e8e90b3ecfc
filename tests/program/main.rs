//! The `eqprop` program from end to end, as its user sees it: arguments and files in, exit code,
//! output and files out.

mod bench;
mod clamp;
mod compare;
mod damage;
mod data;
mod faults;
mod fidelity;
#[cfg(unix)]
mod files;
mod formats;
mod help;
mod http;
mod intermediate;
mod labels;
mod numbers;
mod output;
mod own_data;
mod page;
#[cfg(target_os = "linux")]
mod paths;
mod place;
mod predict;
mod refusal;
mod regression;
mod resume;
mod run_folder;
mod stream;
mod tensorboard;
mod training;
mod tune;
mod untied;
mod watch;
mod weights;
