//! Removal of wrappers around parameter names in files: entries of a checkpoint, and PyTorch's wrapper
//! modules.

use std::collections::{BTreeMap, BTreeSet};

use super::layout::{LIST, SYNAPSES};

/// Checkpoint entries that hold the parameters; the first present is used.
const ENTRIES: [&str; 8] = [
    "model_state_dict",
    "state_dict",
    "model_state",
    "model",
    "network",
    "net",
    "params",
    "weights",
];
/// Attributes in which wrapper modules hold the model: `DataParallel`, and the result of `torch.compile`.
const WRAPPERS: [&str; 2] = ["module", "_orig_mod"];

/// Returns the parameters under their names in the model itself, without the other contents of a checkpoint,
/// such as the optimizer's tensors.
pub(super) fn unwrapped<T>(mut tensors: BTreeMap<String, T>) -> BTreeMap<String, T> {
    loop {
        let first = |name: &str| name.split('.').next().unwrap_or_default().to_string();
        let there: BTreeSet<_> = tensors.keys().map(|name| first(name)).collect();
        let entry = ENTRIES.iter().find(|&&entry| there.contains(entry));
        let wrapper = WRAPPERS.iter().find(|&&wrapper| there.contains(wrapper));
        let Some(&outer) = entry.or(wrapper) else {
            break;
        };
        tensors = below(tensors, outer);
    }
    let is_list = tensors.keys().all(|name| name.parse::<usize>().is_ok());
    if is_list {
        let listed = |(index, tensor)| (format!("{LIST}.{index}"), tensor);
        tensors.into_iter().map(listed).collect()
    } else {
        tensors
    }
}

/// Returns the synapses of a module by their names within it, without parent modules and wrappers; unchanged
/// if there are none.
///
/// # Errors
/// Returns the names of several modules with synapses.
pub(super) fn bare_synapses<T>(
    mut tensors: BTreeMap<String, T>,
) -> Result<BTreeMap<String, T>, Vec<String>> {
    let outer = |name: &str| {
        let (outer, inner) = name.split_once(&format!(".{SYNAPSES}."))?;
        let is_index = inner.split('.').next()?.parse::<usize>().is_ok();
        is_index.then(|| outer.to_string())
    };
    let modules: BTreeSet<_> = tensors.keys().filter_map(|name| outer(name)).collect();
    let modules = Vec::from_iter(modules);
    let prefix = format!("{SYNAPSES}.");
    let is_bare = tensors.keys().any(|name| name.starts_with(&prefix));
    match &modules[..] {
        _ if is_bare => {}
        [] => return Ok(tensors),
        [module] => tensors = below(tensors, module),
        _ => return Err(modules),
    }
    let plain = |(name, tensor): (String, T)| {
        let segments = name
            .split('.')
            .filter(|segment| !WRAPPERS.contains(segment));
        (segments.collect::<Vec<_>>().join("."), tensor)
    };
    Ok(tensors.into_iter().map(plain).collect())
}

/// Returns the tensors whose names begin with `outer` and a dot, without this prefix.
fn below<T>(tensors: BTreeMap<String, T>, outer: &str) -> BTreeMap<String, T> {
    let inner = |(name, tensor): (String, T)| {
        let inner = name.strip_prefix(outer)?.strip_prefix('.')?;
        Some((inner.to_string(), tensor))
    };
    tensors.into_iter().filter_map(inner).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{bare_synapses, unwrapped};

    fn read(names: &[&str]) -> Result<Vec<String>, Vec<String>> {
        let tensors: BTreeMap<_, _> = names.iter().map(|name| (name.to_string(), ())).collect();
        Ok(bare_synapses(unwrapped(tensors))?.into_keys().collect())
    }

    #[test]
    fn what_stands_around_a_module_is_left_out() {
        let bare = ["synapses.0.bias", "synapses.0.weight"];
        for outer in [
            "module.",
            "_orig_mod.",
            "_orig_mod.module.",
            "net.",
            "model.",
            "state_dict.module.",
            "checkpoint.ema.",
            "a.model_state_dict.",
        ] {
            let mut names = bare.map(|name| format!("{outer}{name}")).to_vec();
            names.push("optimizer.state.0.momentum_buffer".to_string());
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let expected = bare.map(String::from).to_vec();
            assert_eq!(read(&names), Ok(expected), "{outer}");
        }
        let inner = ["synapses.0._orig_mod.weight", "synapses.1.module.weight"];
        let expected = ["synapses.0.weight", "synapses.1.weight"];
        assert_eq!(read(&inner), Ok(expected.map(String::from).to_vec()));
    }

    #[test]
    fn a_list_within_a_checkpoint_is_a_list() {
        let expected = ["parameters.0", "parameters.1"].map(String::from);
        assert_eq!(read(&["net.0", "net.1", "seed.0"]), Ok(expected.to_vec()));
    }

    #[test]
    fn one_of_several_modules_is_not_chosen() {
        let names = ["a.synapses.0.weight", "b.synapses.0.weight"];
        assert_eq!(read(&names), Err(vec!["a".to_string(), "b".to_string()]));
    }
}
