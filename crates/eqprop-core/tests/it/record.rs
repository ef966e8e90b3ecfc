//! A network survives its record.

use burn::module::Module;
use burn::store::ModuleRecord;
use eqprop_core::activation::Activation;
use eqprop_core::energy::{Energy, HopfieldEnergy, HopfieldEnergyConfig, VectorField};
use eqprop_testing::{Numbers, distance, graph, network, parameters, values};

use crate::devices;
use crate::graphs;

#[test]
fn a_network_loaded_from_its_record_has_the_same_energies() {
    // With a skip and a connection within a layer, whose diagonal is ignored after loading too.
    let ends = [(0, 1), (1, 2), (0, 2), (1, 1)];
    check(&graph(&[3, 4, 2], Activation::HardSigmoid, &ends));
}

#[test]
fn networks_of_maps_loaded_from_their_records_have_the_same_energies() {
    for (_, config) in graphs::convolutional(Activation::HardSigmoid) {
        check(&config);
    }
}

fn check(config: &HopfieldEnergyConfig) {
    for setup in devices::all() {
        let saved = network(config, &setup, 1.0, 1);
        let fresh = network(config, &setup, 1.0, 2);
        let mut numbers = Numbers(3);
        let input = numbers.matrix(&setup, [5, config.input.n_units()], 0.0, 1.0);
        let state = numbers.state(saved.layers(), &setup, 5);
        let energies =
            |energy: &HopfieldEnergy| values(&energy.energy(&energy.clamp(&input), &state));
        assert!(distance(&energies(&fresh), &energies(&saved)) > 0.1);

        let bytes = saved
            .clone()
            .into_record()
            .into_bytes()
            .expect("a record can be written");
        let record = ModuleRecord::from_bytes(bytes).expect("and read");
        let loaded = fresh.load_record(record);
        assert_eq!(parameters(&loaded), parameters(&saved));
        assert_eq!(energies(&loaded), energies(&saved));
        assert_eq!(loaded.groups(), saved.groups());
    }
}
