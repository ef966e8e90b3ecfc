//! Fuzz targets for everything that eqprop reads: see `tests/`.
