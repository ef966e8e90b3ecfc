"""Weights of small networks as published PyTorch code saves them, with what the networks predict.

Run with `pip install torch` and `python generate.py`; it rewrites the files beside it, which were made
with PyTorch 2.15.0 and seed 0.

Two layouts, of networks made here with random weights:

- a `state_dict` with `synapses.{i}.weight` and `synapses.{i}.bias`: `torch.nn.Linear` and
  `torch.nn.Conv2d` in a `ModuleList`, bare or as `model_state_dict` of a checkpoint
  (github.com/Laborieux-Axel/Equilibrium-Propagation);
- a list of tensors: the biases of the free layers, then the weights, a dense one with the shape of
  the layer below followed by that of the layer above
  (github.com/rain-neuromorphics/energy-based-learning).

The predictions are free equilibria in float64, found by damped iteration of

    s_k <- s(dPhi/ds_k),    Phi = sum_k b_k . s_k + sum_k <s_(k+1), f_k(s_k)>

with dPhi/ds_k by automatic differentiation, so that no hand-written drive is shared with the code
under test.
"""

import json
import pathlib

import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).parent
N_EXAMPLES = 6


def sigmoid(u):
    return torch.sigmoid(4 * u - 2)


def hard_sigmoid(u):
    return u.clamp(0, 1)


def half_slope(u):
    """The activation that the published CIFAR-10 networks were trained with."""
    return (u / 2).clamp(0, 1)


def identity(u):
    return u


def max_pool(maps):
    return F.max_pool2d(maps, 2)


def average_pool(maps):
    return F.avg_pool2d(maps, 2)


class Synapses(torch.nn.Module):
    """Saved under the names of the first layout."""

    def __init__(self, *synapses):
        super().__init__()
        self.synapses = torch.nn.ModuleList(synapses)


def double(tensor):
    return tensor.detach().double()


def linear(layer):
    weight, bias = double(layer.weight), double(layer.bias)
    return lambda s: F.linear(s.flatten(1), weight, bias)


def convolution(layer, pool):
    weight, bias = double(layer.weight), double(layer.bias)
    return lambda s: pool(F.conv2d(s, weight, bias))


def equilibrium(forwards, activations, x):
    """Relaxes Phi(s) = sum_k <s_(k+1), forwards[k](s_k)>, whose forwards include the biases."""
    state = []
    for forward in forwards:
        below = state[-1] if state else x
        state.append(torch.zeros_like(forward(below)))
    for _ in range(3000):
        state = [s.detach().requires_grad_() for s in state]
        layers = [x] + state
        phi = sum((f(s) * above).sum() for f, s, above in zip(forwards, layers, layers[1:]))
        drives = torch.autograd.grad(phi, state)
        moved = [a(d) for a, d in zip(activations, drives)]
        residual = max((m - s).abs().max().item() for m, s in zip(moved, state))
        state = [(m + s.detach()) / 2 for m, s in zip(moved, state)]
    assert residual < 1e-12, residual
    return state


def matrix(tensor):
    return [[float(v) for v in row] for row in tensor.detach().flatten(1)]


def write(name, **fields):
    (HERE / f"{name}.json").write_text(json.dumps(fields) + "\n")


def images(seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(N_EXAMPLES, 1, 8, 8, generator=generator, dtype=torch.float64)


def multilayer():
    """64-12-10: a checkpoint with optimizer state beside the `state_dict`."""
    model = Synapses(torch.nn.Linear(64, 12), torch.nn.Linear(12, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    sum(p.square().sum() for p in model.parameters()).backward()
    optimizer.step()
    checkpoint = {
        "model_state_dict": model.state_dict(),
        "opt": optimizer.state_dict(),
        "train_acc": [10.0],
        "epoch": 1,
    }
    torch.save(checkpoint, HERE / "multilayer.tar")
    torch.save(model, HERE / "whole_model.pt")
    x = images(1)
    forwards = [linear(layer) for layer in model.synapses]
    outputs = {
        s.__name__: matrix(equilibrium(forwards, [s, s], x)[-1]) for s in (sigmoid, half_slope)
    }
    write("multilayer", input=matrix(x), **outputs)


def convolutional():
    """1x8x8 - 4x3x3 - 6x2x2 and a softmax readout outside the state: a bare `state_dict`."""
    conv1, conv2 = torch.nn.Conv2d(1, 4, 3), torch.nn.Conv2d(4, 6, 2)
    readout = torch.nn.Linear(24, 10)
    torch.save(Synapses(conv1, conv2, readout).state_dict(), HERE / "convolutional.pt")
    x = images(2)
    forwards = [convolution(conv1, max_pool), convolution(conv2, identity)]
    last = equilibrium(forwards, [hard_sigmoid, hard_sigmoid], x)[-1]
    write("convolutional", input=matrix(x), scores=matrix(linear(readout)(last)))


def tensor_list(name, seed, biases, weights, forwards):
    """A list of tensors, and the network that it is of: hard sigmoid, with a linear output."""
    torch.save(biases + weights, HERE / f"{name}.pt")
    x = images(seed)
    last = equilibrium(forwards, [hard_sigmoid, identity], x)[-1]
    write(name, input=matrix(x), output=matrix(last))


def uniform(*shape, bound):
    return (2 * torch.rand(*shape) - 1) * bound


def dense_list():
    """1x8x8 - 12 - 10."""
    biases = [uniform(12, bound=0.3), uniform(10, bound=0.3)]
    weights = [uniform(1, 8, 8, 12, bound=0.1), uniform(12, 10, bound=0.2)]
    (b1, b2), (w1, w2) = map(double, biases), map(double, weights)
    forwards = [
        lambda s: torch.tensordot(s, w1, dims=3) + b1,
        lambda s: torch.tensordot(s, w2, dims=1) + b2,
    ]
    tensor_list("dense_list", 3, biases, weights, forwards)


def convolutional_list():
    """1x8x8 - 4x3x3 - 10, with average pooling and biases of one number per map."""
    biases = [uniform(4, 1, 1, bound=0.3), uniform(10, bound=0.3)]
    weights = [uniform(4, 1, 3, 3, bound=0.3), uniform(4, 3, 3, 10, bound=0.15)]
    (b1, b2), (w1, w2) = map(double, biases), map(double, weights)
    forwards = [
        lambda s: average_pool(F.conv2d(s, w1)) + b1,
        lambda s: torch.tensordot(s, w2, dims=3) + b2,
    ]
    tensor_list("convolutional_list", 4, biases, weights, forwards)


if __name__ == "__main__":
    torch.manual_seed(0)
    multilayer()
    convolutional()
    dense_list()
    convolutional_list()
