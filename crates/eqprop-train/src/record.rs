//! Loading of Burn's records.

use burn::module::Module;
use burn::store::{ModuleRecord, RecordError};

use crate::panic;

/// Loads the parameters of `record` into `module`.
///
/// # Errors
/// If the record does not match the module; a panic of Burn, on a tensor that is not of floats, becomes an
/// error.
pub fn load<M: Module>(module: M, record: ModuleRecord) -> Result<M, RecordError> {
    let loaded = panic::catch(|| module.try_load_record(record));
    loaded.unwrap_or_else(|reason| Err(RecordError::Validation(reason)))
}
