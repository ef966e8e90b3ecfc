#!/usr/bin/env python3
"""Runs the experiments of docs/results.toml and writes what they found to docs/src/results.md.

Each experiment is one command of `eqprop`. Its section says how to repeat it, when and on which machine it ran, and has a
table of the numbers that the command printed as JSON. The page is written after every experiment, so a run that is
stopped loses nothing, and a section that is not run keeps what it has.
"""

import argparse
import datetime
import json
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
CARGO = "cargo run --release --"
# Seconds that an experiment may take, and lines that are shown of one that fails.
PATIENCE = 3600
LAST_LINES = 12

EXAMPLES = """\
examples:
  docs/results.py                                   what needs no more than the bundled digits
  EQPROP_DATA=data docs/results.py                  all, with the IDX files of MNIST in data/mnist: some 25 minutes
  docs/results.py --list                            the names, what they need and what they run
  docs/results.py --only digits --only memory       two sections; the others stay as they are
  docs/results.py --eqprop target/release/eqprop --commit HEAD --output new.md

An experiment is an entry of docs/results.toml; to add one, add an entry and run it with --only.
Where EQPROP_DATA is not set, what needs more than the bundled digits is left out, and its section
stays. Commit first: each section names the commit that it was run at, and says so if there were
changes beside it. Let the machine be quiet: tables have times in them.
"""

INTRODUCTION = """\
# Results

Written by `docs/results.py` from what the commands of `docs/results.toml` print with `--json`: no measured figure is typed by hand.
± is the standard deviation over seeds. Times are of one run, on a machine that may have done other work too: compare them
within a table, whose rows took turns. Training time is the mean over seeds; × backprop is the median of the ratios within each epoch,
which a disturbance of one epoch does not move. [The estimators](estimators.md) say what the methods are. MNIST is read from the folder `EQPROP_DATA`, or downloaded once.
"""


@dataclass(frozen=True)
class Experiment:
    """An entry of the list."""

    name: str
    title: str
    command: str
    shows: str
    published: str | None = None
    data: str | None = None


@dataclass(frozen=True)
class Place:
    """The program that runs experiments, and what a section says of it."""

    program: list[str]
    processor: str
    cores: int
    commit: str


class Failure(Exception):
    """Why an experiment has no numbers, in lines that are shown."""


def experiments() -> list[Experiment]:
    with open(DOCS / "results.toml", "rb") as file:
        return [Experiment(**entry) for entry in tomllib.load(file)["experiment"]]


# ---- the machine and the commit


def processor() -> str:
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip() or platform.machine()
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return model[1].strip() if model else platform.processor() or platform.machine()


def cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def checked_out(page: Path) -> str:
    """The commit of this checkout, and whether it has changes; the page itself is none."""
    changes = git("status", "--porcelain", "--", ".", *excluding(page))
    return git("rev-parse", "--short", "HEAD") + (", with changes" if changes else ", clean")


def excluding(page: Path) -> list[str]:
    return [f":(exclude){page.relative_to(ROOT)}"] if page.is_relative_to(ROOT) else []


def find_program(options: argparse.Namespace) -> Place:
    if options.eqprop is None:
        build = ["cargo", "build", "--release", "-p", "eqprop-bench"]
        if subprocess.run(build, cwd=ROOT).returncode != 0:
            sys.exit("the program could not be built")
        program, commit = [*CARGO.split()[:-1], "--quiet", "--"], checked_out(options.output)
    else:
        path = shutil.which(options.eqprop)
        if path is None:
            sys.exit(f"--eqprop: {options.eqprop} is not a program")
        program, commit = [str(Path(path).resolve())], "unknown"
    if options.commit is not None:
        commit = git("rev-parse", "--short", f"{options.commit}^{{commit}}")
    return Place(program, processor(), cores(), commit)


# ---- running


def run(experiment: Experiment, program: list[str]) -> dict:
    """Runs the command with `--json`, and reads it."""
    arguments = shlex.split(experiment.command)
    with tempfile.TemporaryDirectory() as folder:
        # These two leave a folder behind.
        leaves = {"compare": "--report", "train": "--run"}.get(arguments[0])
        where = [leaves, str(Path(folder, "out"))] if leaves else []
        command = [*program, *arguments, *where, "--json"]
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=PATIENCE
            )
        except subprocess.TimeoutExpired as late:
            raise Failure(f"stopped after {PATIENCE} s") from late
        except OSError as error:
            raise Failure(str(error.strerror)) from error
        if done.returncode != 0:
            raise Failure(last_lines(done.stderr or done.stdout, folder) or f"exit status {done.returncode}")
    return json.loads(done.stdout)


def environment() -> dict[str, str]:
    data = os.environ.get("EQPROP_DATA")
    return {**os.environ, "EQPROP_DATA": os.path.abspath(data)} if data else dict(os.environ)


def last_lines(text: str, folder: str) -> str:
    """The end of what a program said, without where things lie on this machine."""
    lines = [line.rsplit("\r", 1)[-1].rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    text = "\n".join([line for line in lines if line][-LAST_LINES:])
    data = environment().get("EQPROP_DATA")
    hidden = {data: "$EQPROP_DATA", folder: "$FOLDER", str(ROOT): ".", str(Path.home()): "~"}
    for path, name in hidden.items():
        if path and len(path) > 1:
            text = text.replace(path, name)
    return text.replace("```", "'''")


# ---- tables


def table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f} %"


def spread(found: dict | None) -> str:
    if found is None or found["deviation"] is None:
        return percent(found and found["mean"])
    return f"{100 * found['mean']:.2f} ± {100 * found['deviation']:.2f} %"


def digits(value: float | None) -> str:
    """Three significant digits, at most three decimals."""
    if value is None:
        return "–"
    decimals = next((n for n, least in enumerate([100, 10, 1]) if abs(value) >= least), 3)
    return f"{value:.{decimals}f}"


def of_comparison(results: dict) -> str:
    """A line for each arm, and which of them can be told apart."""
    seconds = {}
    for one in results["runs"]:
        seconds.setdefault(one["arm"], []).append(sum(epoch["seconds"] for epoch in one["epochs"]))
    epochs = max(len(one["epochs"]) for one in results["runs"])
    has_twin = any(line["method"] == "backprop" for line in results["summary"])
    heads = ["method", "test error", "training error", "training time"] + ["× backprop"] * has_twin
    rows = []
    for line in results["summary"]:
        times = seconds.get(line["arm"], [])
        took = f"{digits(sum(times) / len(times))} s" if times else "–"
        row = [line["arm"], spread(line["test_error"]), spread(line["train_error"]), took]
        rows.append(row + [digits(line["ratio_to_backprop"])] * has_twin)
    n_seeds = len(results["seeds"])
    seeds = f"{n_seeds} seed" + "s" * (n_seeds > 1)
    told = [table(heads, rows), f"{results['network']}, {epochs} epochs, {seeds}. {verdict(results)}".strip()]
    return "\n\n".join(told)


def verdict(results: dict) -> str:
    """Which arms the seeds and the test examples tell apart; `eqprop compare --help` says how."""
    if not results["differences"]:
        return ""
    better = []
    for pair in results["differences"]:
        names = [pair["first"], pair["second"]]
        if pair["verdict"] == "second_is_better":
            names.reverse()
        if pair["verdict"] in ("first_is_better", "second_is_better"):
            better.append(f"{names[0]} makes fewer errors than {names[1]}")
    if not better:
        return "In test error no two of them can be told apart with these seeds."
    return "Told apart in test error: " + "; ".join(better) + "."


def of_training(summary: dict) -> str:
    heads = ["epochs", "test error", "best epoch", "training error", "training time", "outside estimator and optimizer"]
    errors = [percent(summary[name]) for name in ("test_error", "best_test_error", "train_error")]
    times = [f"{digits(summary['seconds'])} s", f"{100 * summary['overhead']:.1f} % of it"]
    return table(heads, [[str(summary["epochs"]), *errors, *times]])


def of_fidelity(results: dict) -> str:
    """Error and lowest cosine against β, one-sided and centered, and the orders that were fitted."""
    kinds = ["one_sided", "centered"]
    heads = ["β", "one-sided: relative error", "lowest cosine", "centered: relative error", "lowest cosine"]
    rows = []
    for point in results["beta"]["points"]:
        row = [f"{point['beta']:g}"]
        for kind in kinds:
            found = point["estimates"][kind]
            if found is None:
                row += ["–", "–"]
                continue
            lowest = min(parameter["cosine"] for parameter in found["parameters"])
            error = re.sub(r"e([-+])0", r"e\1", f"{found['whole']['relative_error']:.1e}")
            row += [error.replace("e+0", ""), f"{lowest:.5f}"]
        rows.append(row)
    orders = ["order in β"]
    for kind in kinds:
        fitted = results["beta"]["orders"][kind]
        orders += [digits(fitted and fitted["whole"]), ""]
    n = results["batches"] * results["batch_size"]
    below = f"{results['network']}, {n} examples. A cosine is that of the layer, and of the batch, where it is lowest."
    return table(heads, [*rows, orders]) + "\n\n" + below


def of_bench(results: dict) -> str:
    """Times, or memory where it was measured with several numbers of steps."""
    growth = results["memory_growth"]
    if not growth:
        heads = ["preset", "batch", "method", "ms per step", "× backprop", "peak memory"]
        rows = []
        for line in results["results"]:
            row = [line["preset"], str(line["batch_size"]), line["method"], digits(1e3 * line["step"]["median"])]
            rows.append(row + [digits(line["ratio_to_backprop"]), megabytes(line["peak_memory"])])
        return table(heads, rows) + f"\n\nMedians of {results['rounds']} rounds."
    steps = sorted({line["free_steps"] for line in results["results"]})
    peaks = {(line["method"], line["free_steps"]): line["peak_memory"] for line in results["results"]}
    heads = ["method", *(f"{n} steps" for n in steps), "growth per step"]
    rows = []
    for line in growth:
        method = line["method"]
        # As `eqprop bench` has it: up to a twentieth is no growth.
        is_flat = abs(line["growth"]) <= 0.05
        per_step = "none" if is_flat else f"{digits(line['bytes_per_step'] / 1e3)} kB"
        rows.append([method, *(megabytes(peaks[method, n]) for n in steps), per_step])
    return table(heads, rows)


def megabytes(n_bytes: int | None) -> str:
    return "–" if n_bytes is None else f"{digits(n_bytes / 1e6)} MB"


TABLES = {"compare": of_comparison, "train": of_training, "fidelity": of_fidelity, "bench": of_bench}


# ---- the page


def section(experiment: Experiment, place: Place) -> tuple[str, bool]:
    """Runs an experiment; its section, and whether it has numbers."""
    began, clock = datetime.datetime.now(datetime.UTC), time.monotonic()
    failure = None
    try:
        found = TABLES[experiment.command.split()[0]](run(experiment, place.program))
    except Failure as known:
        failure = str(known)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        failure = f"its JSON is not as expected: {error!r}"
    if failure is not None:
        found = f"**Failed.** The last lines:\n\n```text\n{failure}\n```"
    seconds = time.monotonic() - clock
    parts = [
        f"## {experiment.title}",
        experiment.shows,
        f"```sh\n{CARGO} {experiment.command}\n```",
        f"Published: {experiment.published}." if experiment.published else "",
        found,
        f"Run on {began:%Y-%m-%d}, in {seconds:.0f} s, on {place.processor}, {place.cores} cores; commit {place.commit}.",
    ]
    return "\n\n".join(part for part in parts if part), failure is None


def former_sections(page: Path) -> dict[str, str]:
    """The sections of the page as it is, by title."""
    if not page.exists():
        return {}
    parts = re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {part.split("\n", 1)[0].strip(): f"## {part.strip()}" for part in parts}


def write(page: Path, listed: list[Experiment], sections: dict[str, str]) -> None:
    """The page as a whole or not at all."""
    found = [sections[experiment.title] for experiment in listed if experiment.title in sections]
    text = "\n\n".join([INTRODUCTION.strip(), *found]) + "\n"
    page.parent.mkdir(parents=True, exist_ok=True)
    beside = page.with_name(f".{page.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, page)
    finally:
        beside.unlink(missing_ok=True)


def arguments(names: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", action="store_true", help="print the experiments, and run none")
    parser.add_argument(
        "--only", action="append", metavar="NAME", choices=names, help="run this one; may be given several times"
    )
    parser.add_argument(
        "--output", type=Path, default=DOCS / "src" / "results.md", metavar="FILE", help="the page [docs/src/results.md]"
    )
    parser.add_argument(
        "--eqprop", metavar="PATH", help="a program that is built already [cargo run --release, built first]"
    )
    parser.add_argument(
        "--commit", metavar="REV", help="the commit that --eqprop was built of, which cannot be seen from it"
    )
    options = parser.parse_args()
    if options.commit is not None and options.eqprop is None:
        parser.error("--commit is for --eqprop: what is built here is of this checkout")
    options.output = options.output.resolve()
    return options


def main() -> int:
    listed = experiments()
    options = arguments([experiment.name for experiment in listed])
    if options.list:
        for experiment in listed:
            needs = experiment.data or "-"
            print(f"{experiment.name:14} {needs:6} eqprop {experiment.command}")
        return 0
    chosen = [experiment for experiment in listed if options.only is None or experiment.name in options.only]
    if not os.environ.get("EQPROP_DATA"):
        left_out = [experiment.name for experiment in chosen if experiment.data]
        if left_out:
            print(f"left out, because EQPROP_DATA is not set: {', '.join(left_out)}", file=sys.stderr)
        chosen = [experiment for experiment in chosen if not experiment.data]
    if not chosen:
        sys.exit("nothing to run: set EQPROP_DATA to the folder that has MNIST in `mnist`")
    place = find_program(options)
    sections = former_sections(options.output)
    failed = []
    for experiment in chosen:
        print(f"{experiment.name}: {experiment.command}", file=sys.stderr, flush=True)
        clock = time.monotonic()
        sections[experiment.title], is_done = section(experiment, place)
        write(options.output, listed, sections)
        outcome = "done" if is_done else "FAILED"
        print(f"{experiment.name}: {outcome} after {time.monotonic() - clock:.0f} s", file=sys.stderr, flush=True)
        if not is_done:
            failed.append(experiment.name)
    if failed:
        print(f"failed: {', '.join(failed)}; {options.output} has their last lines", file=sys.stderr)
    return 1 if failed else 0


def stop(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # However it is stopped, the program that it runs is stopped too.
    signal.signal(signal.SIGTERM, stop)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("stopped; the page has what was done before", file=sys.stderr)
        sys.exit(130)
