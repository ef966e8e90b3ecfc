"""Compares `eqprop bench` with the PyTorch programs of this folder.

Every round runs each program once for each workload and batch size, in turn, each in a process of
its own with the machine to itself; the order changes from round to round. Medians are over rounds
of each round's median. A ratio says how many times as fast as the program eqprop is: above 1
eqprop is faster.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import common
from common import Model, Workload

FOLDER = Path(__file__).resolve().parent
# Timed steps of `eqprop bench` are one of the three of each of its rounds.
STEPS_PER_ROUND = 3
# Share of the cores that other processes may use, and seconds to wait until they use less.
BUSY = 0.05
PATIENCE = 20.0


class NotMeasured(Exception):
    """A program that could not time a workload, and why."""


@dataclass
class Row:
    """A workload with one batch size: the milliseconds per step of each round, by program."""

    workload: Workload
    batch: int
    free_steps: int
    nudged_steps: int
    rounds_of_eqprop: int | None
    milliseconds: dict[str, list[float]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    reports: list[dict] = field(default_factory=list)

    def medians(self) -> dict[str, float]:
        return {name: statistics.median(times) for name, times in self.milliseconds.items()}

    def ratios(self) -> dict[str, float]:
        """Time of each program over eqprop's, and that of the fastest closed form."""
        medians = self.medians()
        eqprop = medians.pop("eqprop", None)
        if eqprop is None:
            return {}
        ratios = {name: median / eqprop for name, median in medians.items()}
        closed_forms = [ratios[name] for name in ("closed_form", "packed") if name in ratios]
        return {"best": min(closed_forms), **ratios} if closed_forms else ratios


def busy_share(seconds: float = 0.3) -> float:
    """Share of the processor time that is in use, on Linux; elsewhere 0."""

    def ticks() -> tuple[int, int]:
        with open("/proc/stat", encoding="ascii") as stat:
            values = [int(word) for word in stat.readline().split()[1:9]]
        # User, nice, system, idle, waiting for input and output, …
        return sum(values), values[3] + values[4]

    try:
        before, idle_before = ticks()
        time.sleep(seconds)
        after, idle_after = ticks()
    except OSError:
        return 0.0
    return 1 - (idle_after - idle_before) / max(after - before, 1)


def wait_until_idle() -> bool:
    """Whether nothing else used the processor, at once or after some waiting."""
    end = time.monotonic() + PATIENCE
    while busy_share() > BUSY:
        if time.monotonic() > end:
            return False
    return True


def last_json(command: list[str], environment: dict[str, str] | None = None) -> dict:
    """What a program prints as JSON."""
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise NotMeasured(lines[0].strip() if lines else f"exit status {done.returncode}")
    return json.loads(done.stdout)


class Bench:
    """All programs, with the options that they share."""

    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.on_gpu = options.device.startswith("cuda")
        self.n_measured = 0
        self.n_disturbed = 0

    def programs(self, workload: Workload) -> list[str]:
        """The programs of a workload; packed products matter between free layers of many units."""
        programs = ["closed_form"]
        n_dense = sum(isinstance(layer, int) for layer in workload.layers)
        if workload.model is Model.HOPFIELD and n_dense > 2 and not self.on_gpu:
            programs.append("packed")
        programs += ["autograd", "backprop", "eqprop"]
        return [name for name in programs if name in self.options.programs]

    def eqprop(self, workload: Workload, batch: int, rounds: int) -> tuple[dict, dict]:
        """What `eqprop bench` reports, and its one row."""
        command = [str(self.options.eqprop), "bench", "--json", "--methods", "eqprop"]
        command += ["--preset", workload.preset, "--rounds", str(rounds)]
        overrides = (f"batch_size={batch}", "tolerance=null", *workload.overrides)
        command += [word for change in overrides for word in ("--set", change)]
        if self.options.eqprop_device:
            command += ["--device", self.options.eqprop_device]
        environment = dict(os.environ)
        if self.options.threads:
            environment["RAYON_NUM_THREADS"] = str(self.options.threads)
        document = last_json(command, environment)
        return document, document["results"][0]

    def peer(self, program: str, row: Row) -> dict:
        script = "closed_form" if program == "packed" else program
        command = [sys.executable, str(FOLDER / f"{script}.py")]
        command += ["--workload", row.workload.name, "--batch", str(row.batch)]
        command += ["--free-steps", str(row.free_steps), "--nudged-steps", str(row.nudged_steps)]
        command += ["--device", self.options.device, "--seconds", str(self.options.seconds)]
        if program == "packed":
            command.append("--packed")
        if script == "closed_form" and self.options.no_graph:
            command.append("--no-graph")
        if self.options.threads:
            command += ["--threads", str(self.options.threads)]
        return last_json(command)

    def row(self, workload: Workload, batch: int) -> Row:
        """A row before its first round.

        A short run of eqprop, which is not counted, says how many steps the preset takes, so that
        the others take as many, and how many rounds fill the time.
        """
        row = Row(workload, batch, workload.free_steps, workload.nudged_steps, None)
        if "eqprop" not in self.options.programs:
            return row
        try:
            _, result = self.eqprop(workload, batch, rounds=3)
        except NotMeasured as failure:
            row.failures["eqprop"] = str(failure)
            return row
        if workload.model is Model.HOPFIELD:
            row.free_steps = result["free_steps"]
        row.nudged_steps = result["nudged_steps"]
        seconds = STEPS_PER_ROUND * result["step"]["median"]
        row.rounds_of_eqprop = min(max(round(self.options.seconds / seconds), 5), 500)
        return row

    def measure(self, program: str, row: Row) -> None:
        """One program's part of a round."""
        if program in row.failures:
            return
        self.n_measured += 1
        if not wait_until_idle():
            self.n_disturbed += 1
        try:
            if program == "eqprop":
                report, result = self.eqprop(row.workload, row.batch, row.rounds_of_eqprop)
                milliseconds = 1e3 * result["step"]["median"]
            else:
                report = self.peer(program, row)
                milliseconds = report["milliseconds_per_step"]
        except NotMeasured as failure:
            row.failures[program] = str(failure)
            return
        row.reports.append({"program": program, "report": report})
        row.milliseconds.setdefault(program, []).append(milliseconds)


def table(rows: list[Row]) -> str:
    """Medians in milliseconds per step, and ratios to eqprop."""
    programs = ["eqprop", "closed_form", "packed", "autograd", "backprop"]
    ratios = ["best", "autograd", "backprop"]
    header = ["workload", "batch", "steps", *programs, *(f"x {name}" for name in ratios)]
    lines = [header]
    for row in rows:
        medians, ratio = row.medians(), row.ratios()
        two_phases = "2x" if row.workload.nudging is common.Nudging.CENTERED else ""
        cells = [row.workload.name, str(row.batch)]
        cells.append(f"{row.free_steps}+{two_phases}{row.nudged_steps}")
        for name in programs:
            if name in medians:
                cells.append(f"{medians[name]:.4g}")
            else:
                cells.append("failed" if name in row.failures else "-")
        cells += [f"{ratio[name]:.2f}" if name in ratio else "-" for name in ratios]
        lines.append(cells)
    widths = [max(map(len, column)) for column in zip(*lines)]
    text = "\n".join(
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(cells, widths))
        )
        for cells in lines
    )
    failures = [
        f"{row.workload.name}, batch {row.batch}, {program}: {failure}"
        for row in rows
        for program, failure in row.failures.items()
    ]
    return "\n".join([text, *failures])


def document(rows: list[Row], bench: Bench, roofline: dict | None) -> dict:
    options = bench.options
    return {
        "machine": {"processor": processor(), "cores": os.cpu_count(), "system": platform.platform()},
        "measurements": bench.n_measured,
        "measurements_on_a_busy_machine": bench.n_disturbed,
        "rounds": options.rounds,
        "device": options.device,
        "eqprop_device": options.eqprop_device,
        "roofline": roofline,
        "results": [
            {
                "workload": row.workload.name,
                "batch": row.batch,
                "free_steps": row.free_steps,
                "nudged_steps": row.nudged_steps,
                "milliseconds_per_step": row.medians(),
                "eqprop_times_as_fast": row.ratios(),
                "rounds": row.milliseconds,
                "failures": row.failures,
                "reports": row.reports,
            }
            for row in rows
        ],
    }


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compares eqprop bench with PyTorch.")
    parser.add_argument(
        "workloads", nargs="*", metavar="WORKLOAD", help=f"some of {', '.join(WORKLOAD_NAMES)}"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu", help="PyTorch's: cpu or cuda")
    parser.add_argument("--eqprop-device", help="eqprop's, such as flex or cuda [default: its own]")
    parser.add_argument("--eqprop", type=Path, required=True, help="the eqprop program")
    parser.add_argument("--programs", default="closed_form,packed,autograd,backprop,eqprop")
    parser.add_argument("--batch", type=int, help="only rows of this batch size")
    parser.add_argument("--threads", type=int, help="threads of each program [default: their own]")
    parser.add_argument("--seconds", type=float, default=2.0, help="time of a program in a round")
    parser.add_argument(
        "--no-graph", action="store_true", help="no CUDA graph of the closed form on a GPU"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="save everything")
    options = parser.parse_args()
    options.programs = options.programs.split(",")
    unknown = set(options.workloads) - set(WORKLOAD_NAMES)
    if unknown:
        parser.error(f"unknown workloads {', '.join(sorted(unknown))}; known: {WORKLOAD_NAMES}")
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


WORKLOAD_NAMES = list(common.WORKLOADS)


def main() -> None:
    options = parse()
    bench = Bench(options)
    names = options.workloads or WORKLOAD_NAMES
    chosen = [common.WORKLOADS[name] for name in names]
    settings = [(workload, batch) for workload in chosen for batch in workload.batches]
    settings = [(w, batch) for w, batch in settings if options.batch in (None, batch)]
    rows = [bench.row(workload, batch) for workload, batch in settings]
    for index in range(options.rounds):
        for row in rows:
            programs = bench.programs(row.workload)
            first = index % len(programs) if programs else 0
            for program in programs[first:] + programs[:first]:
                progress = f"round {index + 1}/{options.rounds}: {row.workload.name}, {program}"
                print(f"{progress}, batch {row.batch}", file=sys.stderr, flush=True)
                bench.measure(program, row)
    roofline = None
    command = [sys.executable, str(FOLDER / "roofline.py"), "--device", options.device]
    command += [] if bench.on_gpu else ["--packed"]
    command += ["--threads", str(options.threads)] if options.threads else []
    try:
        roofline = last_json(command)
    except NotMeasured as failure:
        print(f"roofline: {failure}", file=sys.stderr)
    print(f"milliseconds per training step, medians of {options.rounds} rounds on {processor()};")
    print("x: how many times as fast eqprop is, 'best' against the faster closed form")
    print(table(rows))
    if roofline is not None:
        print(f"peak of float32 products: {roofline['peak_gflops']:.0f} GFLOP/s")
    if bench.n_disturbed > 0:
        print(
            f"WARNING: other processes were busy before {bench.n_disturbed} of "
            f"{bench.n_measured} measurements; ratios of such a run mean little"
        )
    if options.json is not None:
        options.json.write_text(json.dumps(document(rows, bench, roofline), indent=1) + "\n")


if __name__ == "__main__":
    main()
