use burn::tensor::Device;

use super::UpdateMonitor;

#[test]
#[allow(deprecated)] // Burn deprecates ndarray in favor of flex, and still ships it.
fn one_replica_is_watched_until_a_restart() {
    let monitor = UpdateMonitor::new(1);
    let [first, second] = [Device::flex(), Device::ndarray()];
    assert!(monitor.watches(&first));
    assert!(!monitor.watches(&second));
    assert!(monitor.clone().watches(&first));
    monitor.restart();
    assert!(monitor.watches(&second));
    assert!(!monitor.watches(&first));
}
