#!/bin/sh
# Builds eqprop, sets up PyTorch and compares the two: ./run.sh [WORKLOAD ...] [--rounds N]
# [--device cpu|cuda] [--eqprop-device DEV] [--json FILE]; README.md says more.
#
# EQPROP_PEERS_PYTHON  a Python that has torch, instead of a virtual environment made here
# EQPROP_FEATURES      cargo features of the build, such as cuda
# EQPROP               an eqprop program, instead of building one
set -eu

peers=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$peers/../../.." && pwd)

if [ -z "${EQPROP_PEERS_PYTHON:-}" ]; then
    EQPROP_PEERS_PYTHON=$peers/.venv/bin/python
    if ! "$EQPROP_PEERS_PYTHON" -c 'import torch' 2>/dev/null; then
        python3 -m venv "$peers/.venv"
        "$EQPROP_PEERS_PYTHON" -m pip install --requirement "$peers/requirements.txt"
    fi
fi

if [ -z "${EQPROP:-}" ]; then
    (cd "$root" && cargo build --release ${EQPROP_FEATURES:+--features "$EQPROP_FEATURES"})
    EQPROP=${CARGO_TARGET_DIR:-$root/target}/release/eqprop
fi

exec "$EQPROP_PEERS_PYTHON" "$peers/compare.py" --eqprop "$EQPROP" "$@"
