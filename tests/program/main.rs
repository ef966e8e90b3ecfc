//! The `eqprop` program from end to end, as its user sees it: arguments and files in, exit code,
//! output and files out.

mod bench;
mod compare;
mod damage;
mod data;
mod faults;
mod fidelity;
mod help;
mod place;
mod refusal;
mod resume;
mod training;
mod untied;
mod weights;
