"""Trains the feedforward twin of the preset `mnist-fast` by PyTorch's backpropagation.

The same network, initial distribution, augmentation, optimizer, schedule, batches and epochs on MNIST, with
images and labels in memory as `eqprop train` has them. The clock runs while it trains, without evaluation.
Prints one JSON object; `eqprop train --preset mnist-fast --json` beside it in turns is the comparison.
"""

import argparse
import json
import math
import os
import statistics
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from common import load_idx

LAYERS = (784, 512, 128, 10)
BATCH, EPOCHS = 128, 7
RATE, MOMENTUM, DECAY = 0.1, 0.95, 1e-5


def load(folder: Path, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Images in [0, 1], `[n, 28, 28]`, and classes."""
    images = load_idx(folder / f"{part}-images-idx3-ubyte.gz", 60000).float() / 255
    return images, load_idx(folder / f"{part}-labels-idx1-ubyte.gz", 60000).long()


def network() -> torch.nn.Sequential:
    """Rectified units and a linear output; weights uniform with variance 1/n_in, biases 0."""
    layers = []
    for n_in, n_out in zip(LAYERS, LAYERS[1:]):
        layer = torch.nn.Linear(n_in, n_out)
        torch.nn.init.uniform_(layer.weight, -math.sqrt(3 / n_in), math.sqrt(3 / n_in))
        torch.nn.init.zeros_(layer.bias)
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def shifted(images: torch.Tensor) -> torch.Tensor:
    """Each image moved by up to a pixel in both directions, with copies of its edge."""
    padded = F.pad(images.unsqueeze(1), (1, 1, 1, 1), mode="replicate").squeeze(1)
    windows = padded.unfold(1, 28, 1).unfold(2, 28, 1)
    n = len(images)
    rows, columns = torch.randint(3, (n,)), torch.randint(3, (n,))
    return windows[torch.arange(n), rows, columns].flatten(1)


def train(images: torch.Tensor, classes: torch.Tensor) -> tuple[torch.nn.Sequential, float]:
    """The trained network, and the seconds that its training took."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), RATE, MOMENTUM, weight_decay=DECAY)
    n_batches = math.ceil(len(images) / BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_batches * EPOCHS)
    targets = F.one_hot(classes, LAYERS[-1]).float()
    start = time.perf_counter()
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(images)).split(BATCH):
            output = model(shifted(images[chosen]))
            cost = 0.5 * (output - targets[chosen]).square().sum(1).mean()
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
            schedule.step()
    return model, time.perf_counter() - start


@torch.no_grad()
def error(model: torch.nn.Sequential, images: torch.Tensor, classes: torch.Tensor) -> float:
    return (model(images.flatten(1)).argmax(1) != classes).float().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, help="folder of MNIST's files [default: $EQPROP_DATA/mnist]")
    parser.add_argument("--seeds", type=int, default=1, help="trainings, one after the other [default: 1]")
    parser.add_argument("--first-seed", type=int, default=0, help="seed of the first [default: 0]")
    parser.add_argument("--threads", type=int, help="threads of the CPU [default: torch's choice]")
    options = parser.parse_args()
    folder = options.data_dir
    if folder is None:
        if "EQPROP_DATA" not in os.environ:
            parser.error("no MNIST: name its folder by --data-dir, or the folder of `mnist` by EQPROP_DATA")
        folder = Path(os.environ["EQPROP_DATA"]) / "mnist"
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    training, test = load(folder, "train"), load(folder, "t10k")
    errors, seconds = [], []
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        torch.manual_seed(seed)
        model, taken = train(*training)
        errors.append(error(model, *test))
        seconds.append(taken)
    report = {
        "test_error": errors,
        "mean_test_error": statistics.mean(errors),
        "training_seconds": seconds,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
