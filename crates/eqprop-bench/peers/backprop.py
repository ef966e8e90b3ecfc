"""Backpropagation in the feedforward twin.

The same layers, activations and parameters with every connection used forward only: one forward
pass, autograd's backward pass, and SGD.
"""

import argparse
from collections.abc import Callable

import torch
import torch.nn.functional as F

import common
from common import Batch, Maps, Model, Parameters, Workload


def mean_cost(workload: Workload, parameters: Parameters, batch: Batch) -> torch.Tensor:
    value = batch.input
    last = len(workload.layers) - 1
    for index, layer in enumerate(workload.layers):
        weight, bias = parameters.weights[index], parameters.biases[index]
        if isinstance(layer, Maps):
            value = F.max_pool2d(F.conv2d(value, weight, bias), 2)
        else:
            value = torch.addmm(bias, value.flatten(1), weight)
        if index < last and workload.model is Model.PREDICTIVE_CODING:
            value = value.relu()
        elif index < last or workload.clipped_output:
            value = value.clamp(0, 1)
    return 0.5 * (value - batch.target).square().sum(1).mean()


def gradients(workload: Workload, parameters: Parameters, batch: Batch) -> Parameters:
    """The gradient of the mean cost."""
    parameters = parameters.map(lambda p: p.detach().clone().requires_grad_())
    mean_cost(workload, parameters, batch).backward()
    return parameters.map(lambda p: p.grad)


def make_step(
    workload: Workload, parameters: Parameters, batch: Batch, options: argparse.Namespace
) -> Callable[[], None]:
    parameters = parameters.map(lambda p: p.requires_grad_())
    optimizer = torch.optim.SGD(parameters.groups(workload.learning_rates))

    def step() -> None:
        optimizer.zero_grad()
        mean_cost(workload, parameters, batch).backward()
        optimizer.step()

    return step


if __name__ == "__main__":
    common.run("backprop", make_step)
