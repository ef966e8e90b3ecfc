"""What the programs of this folder share: networks, batches, command line, clock."""

import argparse
import gzip
import json
import math
import os
import statistics
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

import torch


class Model(Enum):
    """The kind of energy."""

    HOPFIELD = "E = sum_k |s_k|^2 / 2 - sum_k b_k s_k - sum_k <s_k, f_k(s_{k-1})>"
    PREDICTIVE_CODING = "E = sum_k |h_k - f_k(h_{k-1})|^2 / 2"


class Scheme(Enum):
    """The rule of a relaxation step."""

    ASYNCHRONOUS = "even layers, then odd layers, each to its minimum given the others"
    GRADIENT_FLOW = "all layers at once, s <- clip(s - epsilon dF/ds)"


class Nudging(Enum):
    """The pair of equilibria that an estimate contrasts."""

    ONE_SIDED = "at beta and at 0"
    CENTERED = "at beta and at -beta"


@dataclass(frozen=True)
class Maps:
    """Feature maps behind a square kernel and 2x2 max pooling."""

    channels: int
    kernel: int


@dataclass(frozen=True)
class Workload:
    """A network and the phases that train it.

    `layers` are the free layers from the first hidden one to the output; `learning_rates` has one
    rate for each. Hidden units are clipped to [0, 1] in a Hopfield network and rectified in a
    predictive coding network.
    """

    name: str
    preset: str
    input: tuple[int, ...]
    layers: tuple[int | Maps, ...]
    scheme: Scheme
    nudging: Nudging
    beta: float
    free_steps: int
    nudged_steps: int
    learning_rates: tuple[float, ...]
    batches: tuple[int, ...]
    gain: float | None
    """Weights are uniform in +-gain/sqrt(n_in); without a gain as Glorot and Bengio have them."""
    model: Model = Model.HOPFIELD
    clipped_output: bool = False
    """Whether the output is clipped to [0, 1] too, and not linear."""
    step_size: float = 1.0
    """The epsilon of the gradient flow."""
    overrides: tuple[str, ...] = ()
    """Fields of the preset that `eqprop bench` is to change."""


def _paper(name, layers, free_steps, nudged_steps, learning_rates, gain, preset):
    return Workload(
        name=name,
        preset=preset,
        input=(784,),
        layers=layers,
        scheme=Scheme.GRADIENT_FLOW,
        step_size=0.5,
        nudging=Nudging.ONE_SIDED,
        beta=1.0,
        free_steps=free_steps,
        nudged_steps=nudged_steps,
        learning_rates=learning_rates,
        batches=(20, 128),
        gain=gain,
        clipped_output=True,
    )


def _dense_hopfield(name, layers, free_steps, nudged_steps, learning_rates, preset):
    return Workload(
        name=name,
        preset=preset,
        input=(784,),
        layers=layers,
        scheme=Scheme.ASYNCHRONOUS,
        nudging=Nudging.CENTERED,
        beta=0.2,
        free_steps=free_steps,
        nudged_steps=nudged_steps,
        learning_rates=learning_rates,
        batches=(16, 128),
        gain=0.7,
    )


WORKLOADS = {
    workload.name: workload
    for workload in (
        _paper("784-500-10", (500, 10), 20, 4, (0.2, 0.1), None, "paper-1h"),
        _dense_hopfield("784-1024-10", (1024, 10), 15, 15, (0.05, 0.05), "dhn-1h"),
        _paper("784-500-500-10", (500, 500, 10), 100, 6, (0.8, 0.2, 0.02), 0.7, "paper-2h"),
        _dense_hopfield(
            "784-1024-1024-1024-10",
            (1024, 1024, 1024, 10),
            100,
            10,
            (0.2, 0.05, 0.01, 0.002),
            "dhn-3h",
        ),
        Workload(
            name="conv-mnist",
            preset="conv-mnist",
            input=(1, 28, 28),
            layers=(Maps(32, 5), Maps(64, 5), 10),
            scheme=Scheme.ASYNCHRONOUS,
            nudging=Nudging.CENTERED,
            beta=0.25,
            free_steps=20,
            nudged_steps=8,
            learning_rates=(0.1, 0.05, 0.025),
            batches=(20, 64),
            gain=0.6,
        ),
        Workload(
            name="pcn-784-512-512-10",
            preset="pcn-mnist",
            input=(784,),
            layers=(512, 512, 10),
            model=Model.PREDICTIVE_CODING,
            scheme=Scheme.ASYNCHRONOUS,
            nudging=Nudging.ONE_SIDED,
            beta=0.02,
            # The free equilibrium is one forward pass, whatever the number of steps.
            free_steps=1,
            nudged_steps=3,
            learning_rates=(0.02, 0.02, 0.02),
            batches=(64,),
            gain=1.0,
            overrides=("momentum=0", "nudging=random_sign", "layer_update=projected"),
        ),
    )
}


@dataclass
class Parameters:
    """Weights that lead to each free layer, and its biases.

    Dense weights are `[n_in, n_out]`, kernels `[channels_out, channels_in, size, size]`; biases
    are one for each unit, or one for each map.
    """

    weights: list[torch.Tensor]
    biases: list[torch.Tensor]

    def all(self) -> list[torch.Tensor]:
        return [*self.weights, *self.biases]

    def map(self, function: Callable[[torch.Tensor], torch.Tensor]) -> "Parameters":
        weights, biases = ([function(p) for p in group] for group in (self.weights, self.biases))
        return Parameters(weights, biases)

    def groups(self, learning_rates: tuple[float, ...]) -> list[dict]:
        """The groups of a torch optimizer, with one learning rate for each layer."""
        layers = zip(self.weights, self.biases, learning_rates)
        return [{"params": [weight, bias], "lr": rate} for weight, bias, rate in layers]


@dataclass
class Batch:
    """Inputs, `[batch, 784]` or `[batch, channels, height, width]`, and one-hot targets."""

    input: torch.Tensor
    target: torch.Tensor


def layer_shapes(workload: Workload) -> list[tuple[int, ...]]:
    """Shapes of input and free layers, without the batch axis."""
    shapes = [workload.input]
    for layer in workload.layers:
        if isinstance(layer, Maps):
            _, height, width = shapes[-1]
            pooled = [(size - layer.kernel + 1) // 2 for size in (height, width)]
            shapes.append((layer.channels, *pooled))
        else:
            shapes.append((layer,))
    return shapes


def initial_parameters(workload: Workload, seed: int, device: str) -> Parameters:
    """Random weights and zero biases: the same on every device."""
    generator = torch.Generator().manual_seed(seed)
    parameters = Parameters([], [])
    for below, layer in zip(layer_shapes(workload), workload.layers):
        if isinstance(layer, Maps):
            area = layer.kernel**2
            shape = (layer.channels, below[0], layer.kernel, layer.kernel)
            n_in, n_out, n_biases = below[0] * area, layer.channels * area, layer.channels
        else:
            n_in, n_out, n_biases = math.prod(below), layer, layer
            shape = (n_in, n_out)
        if workload.gain is None:
            bound = math.sqrt(6 / (n_in + n_out))
        else:
            bound = workload.gain / math.sqrt(n_in)
        weight = (2 * torch.rand(shape, generator=generator) - 1) * bound
        parameters.weights.append(weight.to(device))
        parameters.biases.append(torch.zeros(n_biases, device=device))
    return parameters


def load_idx(path: Path, n: int) -> torch.Tensor:
    """The first `n` entries of a file in the format of MNIST, as bytes."""
    with gzip.open(path) as file:
        _, _, data_type, n_axes = file.read(4)
        assert data_type == 8, f"{path} does not hold bytes"
        shape = struct.unpack(f">{n_axes}I", file.read(4 * n_axes))
        n = min(n, shape[0])
        entries = file.read(n * math.prod(shape[1:]))
    return torch.frombuffer(bytearray(entries), dtype=torch.uint8).reshape(n, *shape[1:])


def first_batch(workload: Workload, batch: int, device: str) -> Batch:
    """The first images of MNIST's training set in $EQPROP_DATA, which `eqprop bench` is timed on too;
    without one both take random ones, of which none of the pixels is 0."""
    folder = os.environ.get("EQPROP_DATA")
    folder = Path(folder) / "mnist" if folder else None
    if folder is None or not folder.is_dir():
        return random_batch(workload, batch, seed=1, device=device)
    images = load_idx(folder / "train-images-idx3-ubyte.gz", batch)
    labels = load_idx(folder / "train-labels-idx1-ubyte.gz", batch)
    return Batch(
        input=(images.to(torch.get_default_dtype()) / 255).reshape(batch, *workload.input).to(device),
        target=one_hot(workload, labels.long()).to(device),
    )


def one_hot(workload: Workload, classes: torch.Tensor) -> torch.Tensor:
    encoded = torch.nn.functional.one_hot(classes, workload.layers[-1])
    return encoded.to(torch.get_default_dtype())


def random_batch(workload: Workload, batch: int, seed: int, device: str) -> Batch:
    """Inputs uniform in [0, 1] and random one-hot targets: the same on every device."""
    generator = torch.Generator().manual_seed(seed)
    n_classes = workload.layers[-1]
    classes = torch.randint(n_classes, (batch,), generator=generator)
    return Batch(
        input=torch.rand(batch, *workload.input, generator=generator).to(device),
        target=one_hot(workload, classes).to(device),
    )


def groups(n_layers: int) -> tuple[range, range]:
    """The two groups of an asynchronous step, of layers counted from 0."""
    return range(0, n_layers, 2), range(1, n_layers, 2)


def arguments(program: str, add: Callable[[argparse.ArgumentParser], None]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=f"Times a training step of {program}.")
    parser.add_argument("--workload", choices=WORKLOADS, required=True)
    parser.add_argument("--batch", type=int, help="examples per step [default: the first listed]")
    parser.add_argument("--free-steps", type=int, help="steps of the free phase")
    parser.add_argument("--nudged-steps", type=int, help="steps of a nudged phase")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, help="threads of the CPU [default: torch's choice]")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long to measure")
    parser.add_argument("--tf32", action="store_true", help="allow TF32 products on a GPU")
    add(parser)
    return parser.parse_args()


def measure(step: Callable[[], None], device: str, seconds: float) -> list[float]:
    """Seconds of single steps, each with the device idle before and after.

    Steps go untimed for a quarter of `seconds`, at least 3 of them; then at least 5 are timed.
    """

    def sync() -> None:
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)

    def repeat(least: int, budget: float) -> list[float]:
        times = []
        while len(times) < least or sum(times) < budget:
            sync()
            start = time.perf_counter()
            step()
            sync()
            times.append(time.perf_counter() - start)
        return times

    repeat(3, seconds / 4)
    return repeat(5, seconds)


def device_name(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return device


def set_up(options: argparse.Namespace) -> None:
    """Threads, and full float32 precision: torch rounds convolutions to TF32 by default."""
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    torch.backends.cuda.matmul.allow_tf32 = options.tf32
    torch.backends.cudnn.allow_tf32 = options.tf32
    torch.backends.cudnn.benchmark = True


def no_options(parser: argparse.ArgumentParser) -> None:
    """For programs without command-line options of their own."""


def run(
    program: str,
    make_step: Callable[[Workload, Parameters, Batch, argparse.Namespace], Callable[[], None]],
    add_options: Callable[[argparse.ArgumentParser], None] = no_options,
) -> None:
    """Times the training steps that `make_step` returns, and prints one JSON object."""
    options = arguments(program, add_options)
    set_up(options)
    workload = WORKLOADS[options.workload]
    if options.free_steps is not None:
        workload = replace(workload, free_steps=options.free_steps)
    if options.nudged_steps is not None:
        workload = replace(workload, nudged_steps=options.nudged_steps)
    n_examples = options.batch or workload.batches[0]
    parameters = initial_parameters(workload, seed=0, device=options.device)
    batch = first_batch(workload, n_examples, device=options.device)
    step = make_step(workload, parameters, batch, options)
    times = measure(step, options.device, options.seconds)
    low, median, high = statistics.quantiles(times, n=4, method="inclusive")
    report = {
        "workload": workload.name,
        "batch": n_examples,
        "program": program,
        "milliseconds_per_step": 1e3 * median,
        "quartiles": [1e3 * low, 1e3 * high],
        "samples_per_second": n_examples / median,
        "steps_timed": len(times),
        "free_steps": workload.free_steps,
        "nudged_steps": workload.nudged_steps,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "device": device_name(options.device),
    }
    print(json.dumps(report))
