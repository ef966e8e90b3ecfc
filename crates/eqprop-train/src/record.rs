//! Loading Burn's records.

use burn::module::Module;
use burn::store::{ModuleRecord, RecordError};

use crate::panic;

/// `module` with the parameters of `record`.
///
/// # Errors
/// If the record is of another module. Burn panics where a tensor is not of floats.
pub fn load<M: Module>(module: M, record: ModuleRecord) -> Result<M, RecordError> {
    let loaded = panic::catch(|| module.try_load_record(record));
    loaded.unwrap_or_else(|reason| Err(RecordError::Validation(reason)))
}
