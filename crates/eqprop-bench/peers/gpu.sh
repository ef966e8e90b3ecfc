#!/usr/bin/env bash
# Everything that is to be known of eqprop on one NVIDIA GPU, in some ten minutes, each step within a limit:
#
#   peers/gpu.sh EQPROP OUT [TESTS]     from the project's root
#
# EQPROP   the program, built with --features cuda
# OUT      a folder for what is found; a step that failed or ran too long leaves what it had said
# TESTS    a folder with the test programs `it` and `train` of the same build, if they are to run too
#
# EQPROP_DATA names a folder with `mnist` and `fashion-mnist`; without it inputs are random. STEPS names the steps to
# run, all without it. What is slow to compile comes late.
set -u
eqprop=$1 out=$2 tests=${3:-}
peers=$(cd "$(dirname "$0")" && pwd)
python=${EQPROP_PEERS_PYTHON:-python3}
mkdir -p "$out"
export NO_COLOR=1 RUST_BACKTRACE=0

# step NAME LIMIT COMMAND...
step() {
    local name=$1 limit=$2 began=$SECONDS
    shift 2
    case " ${STEPS:-$name} " in *" $name "*) ;; *) return ;; esac
    timeout -k 2 "$limit" "$@" > "$out/$name.txt" 2>&1
    printf '%-12s rc %3s %4s s\n' "$name" $? $((SECONDS - began)) | tee -a "$out/steps.txt"
}

bench() { "$eqprop" bench --json --preset paper-1h --set batch_size=128 --set tolerance=null --methods eqprop --rounds 20; }
export -f bench
export eqprop

step device 20 nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
step devices 30 "$eqprop" devices
step first 60 "$eqprop" train --device cuda --epochs 3 --run "$out/run-first"
step table 260 "$python" "$peers/gpu_table.py" --eqprop "$eqprop" --json "$out/table.json"
if [ -n "$tests" ]; then
    # Where they find `tests/reference` above them.
    cd "$peers/.." || exit
    export EQPROP_TEST_DEVICES=cuda
    step recorded 60 "$tests/train" recorded --nocapture --test-threads 1
    step kernels 90 "$tests/it" gpus::
    step reference 120 "$tests/it" reference
    step parallel 40 "$tests/train" every_cuda_device
fi
step digits 60 "$eqprop" train --device cuda --json --run "$out/run-digits"
step paper-1h 60 "$eqprop" train --device cuda --preset paper-1h --epochs 2 --run "$out/run-paper-1h"
step dchn 60 "$eqprop" train --device cuda --preset dchn --dataset fashion-mnist --epochs 1 --set n_train=5000 --run "$out/run-dchn"
step vgg5 60 "$eqprop" train --device cuda --preset pcn-vgg5 --dataset fashion-mnist --epochs 1 --set n_train=5000 --run "$out/run-vgg5"
for n in 1 2 4 8 16; do
    RAYON_NUM_THREADS=$n step "flex-$n" 20 bash -c bench
done
rm -rf "$out"/run-*
