"""Equilibrium propagation as published PyTorch code writes it.

A relaxation step is a derivative of the total energy that autograd takes, and the drive of the
clamped input is part of every one of them:

```text
s <- sigma(dPhi/ds),   Phi(x, s) = |s|^2 / 2 - epsilon F(x, s),   F = E + beta C
```

The two nudged phases of a centered estimate run one after the other, and the gradient is that of
the difference of two energies. An asynchronous step evaluates, for each group of layers, only the
terms that the group takes part in.

Gradient flow and its primitive function: Ernoult et al. (2019), https://arxiv.org/abs/1905.13633,
and Laborieux et al. (2021), https://arxiv.org/abs/2006.03824. Asynchronous steps: Scellier et al.
(2023), https://arxiv.org/abs/2312.15103. Predictive coding: https://arxiv.org/abs/2606.03584.
"""

import argparse
from collections.abc import Callable

import torch
import torch.nn.functional as F

import common
from common import Batch, Maps, Model, Nudging, Parameters, Scheme, Workload


class Network:
    """The energy of a network, for autograd."""

    def __init__(self, workload: Workload, parameters: Parameters):
        self.workload = workload
        self.parameters = parameters
        self.n_layers = len(workload.layers)
        self.predictive = workload.model is Model.PREDICTIVE_CODING

    def forward(self, layer: int, below: torch.Tensor) -> torch.Tensor:
        """`f_k(s_{k-1}) + b_k`, before any activation."""
        weight, bias = self.parameters.weights[layer], self.parameters.biases[layer]
        if isinstance(self.workload.layers[layer], Maps):
            return F.max_pool2d(F.conv2d(below, weight, bias), 2)
        return below.flatten(1) @ weight + bias

    def activate(self, layer: int, value: torch.Tensor) -> torch.Tensor:
        is_output = layer + 1 == self.n_layers
        if self.predictive:
            return value if is_output else value.relu()
        return value if is_output and not self.workload.clipped_output else value.clamp(0, 1)

    def energy(self, states: list, connections) -> torch.Tensor:
        """The terms of `E` of some connections, each by the layer it leads to, `[batch]`.

        `states` begin with the input. Of the Hopfield energy, potentials are left to the caller.
        """
        energy = 0
        for layer in connections:
            below, above = states[layer], states[layer + 1]
            sent = self.forward(layer, below)
            if self.predictive:
                error = above - self.activate(layer, sent)
                energy = energy + 0.5 * error.square().sum(1)
            else:
                energy = energy - (above * sent).flatten(1).sum(1)
        return energy

    def cost(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return 0.5 * (output - target).square().sum(1)

    def step(self, states: list, batch: Batch, beta: float) -> list:
        """All free layers after one step."""
        if self.workload.scheme is Scheme.GRADIENT_FLOW:
            return self.flow_step(states, batch, beta)
        states = list(states)
        for group in common.groups(self.n_layers):
            for layer, value in zip(group, self.minima(group, states, batch, beta)):
                states[layer + 1] = value
        return states

    def flow_step(self, states: list, batch: Batch, beta: float) -> list:
        epsilon = self.workload.step_size
        free = [state.requires_grad_() for state in states[1:]]
        states = [states[0], *free]
        total = self.energy(states, range(self.n_layers))
        for state in free:
            total = total + 0.5 * state.square().flatten(1).sum(1)
        if beta != 0:
            total = total + beta * self.cost(free[-1], batch.target)
        phi = sum(0.5 * state.square().flatten(1).sum(1) for state in free) - epsilon * total
        drives = torch.autograd.grad(phi.sum(), free)
        return [states[0], *(self.activate(layer, drive) for layer, drive in enumerate(drives))]

    def minima(self, group: range, states: list, batch: Batch, beta: float) -> list:
        """The layers of a group after an asynchronous step."""
        states = [state.detach() for state in states]
        free = [states[layer + 1].requires_grad_() for layer in group]
        joined = (layer for layer in range(self.n_layers) if layer in group or layer - 1 in group)
        total = self.energy(states, joined)
        output = self.n_layers - 1
        nudged = beta != 0 and output in group
        if nudged and self.predictive:
            total = total + beta * self.cost(states[-1], batch.target)
        elif nudged:
            # As a function of the output, total energy and energy without its potential differ by
            # (1 + beta)/2 s^2 - beta y s and a constant.
            total = total - beta * (batch.target * states[-1]).sum(1)
        forces = torch.autograd.grad(total.sum(), free)
        values = []
        for layer, state, force in zip(group, free, forces):
            value = state.detach() - force if self.predictive else -force
            if nudged and layer == output and not self.predictive:
                value = value / (1 + beta)
            values.append(self.activate(layer, value))
        return values

    def relax(self, states: list, batch: Batch, beta: float, n_steps: int) -> list:
        for _ in range(n_steps):
            states = self.step(states, batch, beta)
        return [state.detach() for state in states]

    def free(self, batch: Batch) -> list:
        """The free phase: from rest, or of a predictive coding network one forward pass."""
        if self.predictive:
            return self.forward_pass(batch)
        shapes = common.layer_shapes(self.workload)[1:]
        n = len(batch.target)
        rest = [batch.target.new_zeros(n, *shape) for shape in shapes]
        return self.relax([batch.input, *rest], batch, 0.0, self.workload.free_steps)

    @torch.no_grad()
    def forward_pass(self, batch: Batch) -> list:
        states = [batch.input]
        for layer in range(self.n_layers):
            states.append(self.activate(layer, self.forward(layer, states[-1])))
        return states

    def objective(self, batch: Batch) -> torch.Tensor:
        """The difference of mean energies whose gradient is the estimate."""
        beta, n_steps = self.workload.beta, self.workload.nudged_steps
        free = self.free(batch)
        first = self.relax(free, batch, beta, n_steps)
        second, second_beta = free, 0.0
        if self.workload.nudging is Nudging.CENTERED:
            second, second_beta = self.relax(free, batch, -beta, n_steps), -beta
        energies = [self.energy(states, range(self.n_layers)).mean() for states in (first, second)]
        return (energies[0] - energies[1]) / (beta - second_beta)


def gradients(workload: Workload, parameters: Parameters, batch: Batch) -> Parameters:
    """The gradient of the mean cost."""
    parameters = parameters.map(lambda p: p.detach().clone().requires_grad_())
    Network(workload, parameters).objective(batch).backward()
    return parameters.map(lambda p: p.grad)


def make_step(
    workload: Workload, parameters: Parameters, batch: Batch, options: argparse.Namespace
) -> Callable[[], None]:
    parameters = parameters.map(lambda p: p.requires_grad_())
    network = Network(workload, parameters)
    optimizer = torch.optim.SGD(parameters.groups(workload.learning_rates))

    def step() -> None:
        optimizer.zero_grad()
        network.objective(batch).backward()
        optimizer.step()

    return step


if __name__ == "__main__":
    common.run("autograd", make_step)
