//! Fuzz targets for everything that eqprop reads: see the README and `tests/readers`.
