//! Reading and writing of weights: safetensors files, and the files of published PyTorch code.

mod error;
mod layout;
mod pytorch;
mod wrapper;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::store::{ModuleSnapshot, ModuleStore, SafetensorsStore, bridge};
use burn::tensor::TensorData;

use crate::file::write_atomically;
pub use error::WeightsError;
pub use layout::Layout;
use layout::{Entry, Parameter};

/// Parameters of a module by name, read from a file.
///
/// Safetensors and PyTorch's own format are distinguished by their first bytes, and the [`Layout`]
/// by the names of the tensors. Numbers of any float type are converted to that of the module.
#[derive(Debug)]
pub struct WeightsFile {
    path: PathBuf,
    layout: Layout,
    tensors: BTreeMap<String, TensorData>,
    metadata: BTreeMap<String, String>,
    factor: f64,
}

/// Writes the parameters of `module` to a safetensors file, with `metadata` as text. The file is written
/// atomically and replaces an older one.
///
/// The names are the paths of the parameters without the variants of enums: a network has
/// `energy.connections.0.weight` (dense, `[n_in, n_out]`) or `energy.connections.0.kernel`
/// (`[channels_out, channels_in, height, width]`), of attention `energy.connections.0.query` and
/// `.key` (`[channels, heads · width]`), `energy.biases.0`, and with a readout `cost.weight` and
/// `cost.bias`.
///
/// # Errors
/// If the file cannot be written.
pub fn save_safetensors<M: Module>(
    module: &M,
    path: &Path,
    metadata: &[(&str, &str)],
) -> Result<(), WeightsError> {
    let mut store = SafetensorsStore::from_bytes(None).skip_enum_variants(true);
    for (key, text) in metadata {
        store = store.metadata(*key, *text);
    }
    let saved = module.save_into(&mut store);
    let bytes = saved.and_then(|()| store.get_bytes());
    let bytes = bytes.map_err(WeightsError::safetensors(path))?;
    let path = path.to_path_buf();
    write_atomically(&path, &bytes).map_err(|source| WeightsError::Write { path, source })
}

/// Loads the parameters of `module` from a safetensors file; for other files see
/// [`WeightsFile`].
///
/// # Errors
/// As for [`WeightsFile::open`] and [`WeightsFile::load`].
pub fn load_safetensors<M: Module>(module: M, path: &Path) -> Result<M, WeightsError> {
    WeightsFile::open(path)?.load(module)
}

impl WeightsFile {
    /// Reads a safetensors file, or one that `torch.save` wrote: a dictionary of tensors, a
    /// checkpoint with such a dictionary as an entry (`state_dict`, `model`, `net` and others), a whole
    /// module, or a list of tensors. The prefixes of `DataParallel` and `torch.compile` are removed from the
    /// names.
    ///
    /// # Errors
    /// If the file cannot be read, or holds something else.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let (tensors, metadata) = if starts_as_safetensors(path)? {
            read_safetensors(path)?
        } else {
            (pytorch::read(path)?, BTreeMap::new())
        };
        let path = path.to_path_buf();
        if tensors.is_empty() {
            return Err(WeightsError::Empty { path });
        }
        let tensors = match wrapper::bare_synapses(tensors) {
            Ok(tensors) => tensors,
            Err(modules) => return Err(WeightsError::Several { path, modules }),
        };
        Ok(Self {
            path,
            layout: Layout::of(&tensors),
            tensors,
            metadata,
            factor: 1.0,
        })
    }

    /// Multiplies all weights and biases by `factor`, except those of a cost: a readout outside the
    /// state is unchanged.
    ///
    /// Parameters of a cost are those below a field `cost`, as in an
    /// [`EquilibriumNetwork`](crate::network::EquilibriumNetwork).
    ///
    /// A network trained with the activation `clip(u/2, 0, 1)` (`my_hard_sig` in the code of Laborieux et
    /// al. 2021) becomes, with factor ½, the same network with the hard sigmoid.
    pub fn scaled(self, factor: f64) -> Self {
        Self { factor, ..self }
    }

    /// Returns the arrangement of the parameters.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Returns the keys of all [`metadata`](Self::metadata).
    pub fn metadata_keys(&self) -> impl Iterator<Item = &str> {
        self.metadata.keys().map(String::as_str)
    }

    /// Returns text stored in a safetensors file in addition to the tensors.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// Returns the names and shapes of the tensors.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &[usize])> {
        let tensors = self.tensors.iter();
        tensors.map(|(name, data)| (name.as_str(), data.shape().as_slice()))
    }

    /// Replaces all parameters of `module`, which keeps its device, its data types and the identity of
    /// its parameters.
    ///
    /// In the layouts of published code, synapse `i` must lead from layer `i` of the network to the next.
    ///
    /// # Errors
    /// If a tensor is missing, unused, of another shape, not of floats or not finite.
    pub fn load<M: Module>(&self, mut module: M) -> Result<M, WeightsError> {
        let parameters = module.collect(None, None, true).into_iter();
        let parameters = parameters.map(|tensor| Parameter {
            shape: tensor.shape.as_slice().to_vec(),
            dtype: tensor.dtype,
            name: tensor.name,
        });
        let parameters: Vec<_> = parameters.collect();
        let names: BTreeSet<_> = self.tensors.keys().map(String::as_str).collect();
        let entries = self.layout.entries(&parameters, &names);
        let entries = entries.map_err(|reason| WeightsError::Layout {
            path: self.path.clone(),
            layout: self.layout,
            reason,
        })?;
        let used: BTreeSet<_> = entries.iter().map(|entry| entry.tensor.as_str()).collect();
        let mut tensors = Vec::new();
        for (entry, parameter) in entries.iter().zip(&parameters) {
            let data = self.arranged(entry, parameter)?;
            tensors.push(bridge::from_data(data, parameter.name.clone(), None));
        }
        if let Some(name) = names.difference(&used).next() {
            return Err(WeightsError::Unexpected {
                path: self.path.clone(),
                tensor: name.to_string(),
                shape: self.tensors[*name].shape().as_slice().to_vec(),
            });
        }
        let result = module.apply(tensors, None, None, true);
        assert!(
            result.is_success() && result.missing.is_empty(),
            "names, shapes and types were checked: {result}"
        );
        Ok(module)
    }

    /// Returns the numbers of one parameter, in the shape and the type of the module.
    fn arranged(&self, entry: &Entry, parameter: &Parameter) -> Result<TensorData, WeightsError> {
        let (path, tensor) = (self.path.clone(), entry.tensor.clone());
        let (shape, dtype) = (parameter.shape.clone(), parameter.dtype);
        let Some(data) = self.tensors.get(&tensor) else {
            if entry.is_optional {
                return Ok(TensorData::zeros::<f64, _>(shape).convert_dtype(dtype));
            }
            return Err(WeightsError::Missing {
                path,
                tensor,
                expected: entry.shape.clone(),
                known: self.tensors.keys().cloned().collect(),
            });
        };
        let found = data.shape().as_slice().to_vec();
        if !entry.fits(&found) {
            return Err(WeightsError::Shape {
                path,
                tensor,
                expected: entry.shape.clone(),
                found,
            });
        }
        if !data.dtype().is_float() {
            let found = data.dtype();
            return Err(WeightsError::Kind {
                path,
                tensor,
                found,
            });
        }
        let mut values: Vec<f64> = data.iter::<f64>().collect();
        if let Some(&value) = values.iter().find(|value| !value.is_finite()) {
            return Err(WeightsError::NotFinite {
                path,
                tensor,
                value,
            });
        }
        if entry.is_transposed {
            values = transposed(&values, entry.shape[0], entry.shape[1]);
        }
        if !parameter.is_of_cost() {
            values.iter_mut().for_each(|value| *value *= self.factor);
        }
        let converted = TensorData::new(values, shape).convert_dtype(dtype);
        // After scaling, or in the module's type, a number may no longer be finite.
        let factor = self.factor;
        if converted.iter::<f64>().all(f64::is_finite) {
            Ok(converted)
        } else if factor.abs() <= 1.0 {
            Err(WeightsError::TooLarge {
                path,
                tensor,
                dtype,
            })
        } else {
            Err(WeightsError::Overscaled {
                path,
                tensor,
                factor,
            })
        }
    }
}

/// Checks that all parameters of a module are finite, as [`WeightsFile::load`] does. `path` is the file
/// they were read from.
///
/// # Errors
/// Names the first parameter that holds an infinite value or NaN.
pub fn check_finite<M: Module>(module: &M, path: &Path) -> Result<(), WeightsError> {
    for tensor in module.collect(None, None, true) {
        let data = bridge::to_data(&tensor).map_err(WeightsError::tensor(path, &tensor.name))?;
        if let Some(value) = data.iter::<f64>().find(|value| !value.is_finite()) {
            let (path, tensor) = (path.to_path_buf(), tensor.name);
            return Err(WeightsError::NotFinite {
                path,
                tensor,
                value,
            });
        }
    }
    Ok(())
}

/// Returns a matrix of `n_rows` rows with rows and columns exchanged.
fn transposed(values: &[f64], n_rows: usize, n_columns: usize) -> Vec<f64> {
    let entry = |index| values[(index % n_rows) * n_columns + index / n_rows];
    (0..values.len()).map(entry).collect()
}

/// Returns whether a file begins with the length of a JSON object, followed by the object.
fn starts_as_safetensors(path: &Path) -> Result<bool, WeightsError> {
    let mut head = Vec::new();
    let file = File::open(path).map_err(WeightsError::read(path))?;
    let read = file.take(9).read_to_end(&mut head);
    read.map_err(WeightsError::read(path))?;
    Ok(head.get(8) == Some(&b'{'))
}

type Contents = (BTreeMap<String, TensorData>, BTreeMap<String, String>);

fn read_safetensors(path: &Path) -> Result<Contents, WeightsError> {
    let bytes = fs::read(path).map_err(WeightsError::read(path))?;
    let metadata = header_metadata(&bytes);
    let mut store = SafetensorsStore::from_bytes(Some(bytes));
    let tensors = store.get_all_tensors();
    let tensors = tensors.map_err(WeightsError::safetensors(path))?;
    let data = tensors.values().map(|tensor| {
        let data = bridge::to_data(tensor).map_err(WeightsError::tensor(path, &tensor.name))?;
        Ok((tensor.name.clone(), data))
    });
    Ok((data.collect::<Result<_, _>>()?, metadata))
}

/// Returns the metadata of a safetensors header, which Burn's store does not expose; empty if the header is
/// damaged, which the store detects.
fn header_metadata(bytes: &[u8]) -> BTreeMap<String, String> {
    #[derive(serde::Deserialize)]
    struct Header {
        #[serde(default, rename = "__metadata__")]
        metadata: BTreeMap<String, String>,
    }

    let header = bytes.split_first_chunk::<8>().and_then(|(length, rest)| {
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        serde_json::from_slice::<Header>(rest.get(..length)?).ok()
    });
    header.map(|header| header.metadata).unwrap_or_default()
}
