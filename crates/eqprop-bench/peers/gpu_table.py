"""Times `eqprop bench` and the closed form of PyTorch on one GPU, in few processes.

To start either takes longer than what it measures: PyTorch takes seconds to import, and eqprop compiles its
kernels. So eqprop gets all presets of a batch size at once, and PyTorch goes through all workloads in one process.
`compare.py` is the fairer one where there is time.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

import closed_form
import common

# Workloads by batch size. Those of 1024 fill a GPU.
ROWS = {
    None: ["784-500-10", "784-1024-10", "784-500-500-10", "784-1024-1024-1024-10", "conv-mnist"],
    128: ["784-500-10", "784-1024-10", "784-500-500-10", "784-1024-1024-1024-10"],
    1024: ["784-500-10"],
}


def eqprop(program: Path, names: list[str], batch: int | None, rounds: int, limit: float) -> list[dict]:
    presets = ",".join(common.WORKLOADS[name].preset for name in names)
    command = [str(program), "bench", "--device", "cuda", "--json", "--preset", presets]
    command += ["--methods", "eqprop,backprop", "--rounds", str(rounds), "--set", "tolerance=null"]
    command += ["--set", f"batch_size={batch}"] if batch else []
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=limit)
        return json.loads(done.stdout)["results"]
    except (subprocess.SubprocessError, ValueError) as failure:
        print(f"eqprop, batch {batch}: {failure}: {getattr(failure, 'stderr', '')}", file=sys.stderr)
        return []


def torch_milliseconds(workload: common.Workload, batch: int, seconds: float) -> float:
    options = argparse.Namespace(
        packed=False, compile=False, stored_gradients=False, no_graph=False, device="cuda",
        threads=None, tf32=False,
    )
    common.set_up(options)
    parameters = common.initial_parameters(workload, seed=0, device="cuda")
    examples = common.first_batch(workload, batch, device="cuda")
    step = closed_form.make_step(workload, parameters, examples, options)
    return 1e3 * statistics.median(common.measure(step, "cuda", seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eqprop", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=0.4, help="of PyTorch in a row")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for eqprop in a batch size")
    parser.add_argument("--batches", default="first,128,1024")
    options = parser.parse_args()
    wanted = [None if name == "first" else int(name) for name in options.batches.split(",")]
    table = []
    for batch, names in ROWS.items():
        if batch not in wanted:
            continue
        began = time.perf_counter()
        results = eqprop(options.eqprop, names, batch, options.rounds, options.limit)
        print(f"eqprop, batch {batch}: {time.perf_counter() - began:.1f} s", file=sys.stderr)
        for name in names:
            workload = common.WORKLOADS[name]
            own = {r["method"]: r for r in results if r["preset"] == workload.preset}
            n = batch or workload.batches[0]
            row = {"workload": name, "batch": n}
            if own:
                row["eqprop"] = 1e3 * own["eqprop"]["step"]["median"]
                row["backprop"] = 1e3 * own["backprop"]["step"]["median"]
                steps = {"free_steps": own["eqprop"]["free_steps"]}
                steps["nudged_steps"] = own["eqprop"]["nudged_steps"]
                workload = replace(workload, **steps)
                row |= steps
            try:
                row["closed_form"] = torch_milliseconds(workload, n, options.seconds)
            except RuntimeError as failure:
                print(f"torch, {name}, {n}: {failure}", file=sys.stderr)
            if {"eqprop", "closed_form"} <= row.keys():
                row["times_as_fast"] = row["closed_form"] / row["eqprop"]
            table.append(row)
            print(json.dumps(row), flush=True)
            document = {"device": torch.cuda.get_device_name(), "torch": torch.__version__, "rows": table}
            options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
