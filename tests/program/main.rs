//! The `eqprop` program from end to end.
