"""Independent float64 reference values for systems that conserve energy, driven by a sequence.

Forces, gradients and contrasts come from automatic differentiation of the potential, so that no hand-written derivative is
shared with the code under test.  Run with `pip install torch` and `python echo.py`; it rewrites `echo.json` beside it.

    V(y, u) = 1/2 sum w^2 y^2 + sum log cosh(y W + u B + b)
    step    : y <- y + h/2 z;  z <- z - h dV/dy(y, u_t);  y <- y + h/2 z;  each input is held for `steps_per_input`
    loss    : 1/2 |y_T - target_T|^2 ("end"), or the sum of 1/2 |y_t - target_t|^2 after every input ("every")

"exact" is backpropagation through the steps.  "echo" is the contrast of two separate echoes, at +epsilon and at -epsilon:

    start from (-z_T +- epsilon g_T, y_T), go through the inputs in reverse order, and add +- epsilon g_{t-1} to z after
    the steps of input t > 1, with g_t = d loss / d y_t
    -(h / 2 epsilon) sum over the steps of [dV/dtheta at + less dV/dtheta at -], where the forces were taken

Gradients of parameters are those of the batch mean, those of inputs of each example's own loss.
"""

import json
import pathlib

import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
HERE = pathlib.Path(__file__).parent
NAMES = ["W", "B", "b", "w"]
N_INPUTS, N_UNITS, N_SPRINGS, BATCH, STEPS, HELD, H = 3, 5, 4, 3, 12, 3, 0.2
EPSILON = 0.3


def tolist(t):
    return {"shape": list(t.shape), "data": [float(v) for v in t.detach().reshape(-1)]}


def potential(p, y, u):
    springs = torch.log(torch.cosh(y @ p["W"] + u @ p["B"] + p["b"]))
    return 0.5 * (p["w"] ** 2 * y**2).sum(-1) + springs.sum(-1)


def force(p, y, u, create_graph):
    if not y.requires_grad:
        y = y.detach().requires_grad_()
    return -torch.autograd.grad(potential(p, y, u).sum(), y, create_graph=create_graph)[0]


def step(p, y, z, u, create_graph=False):
    half = y + H / 2 * z
    z = z + H * force(p, half, u, create_graph)
    return half + H / 2 * z, z, half


def losses(ys, targets, every):
    of = lambda t: 0.5 * ((ys[t] - targets[:, t]) ** 2).sum(-1)
    return sum(of(t) for t in range(STEPS)) if every else of(STEPS - 1)


def course(p, inputs, create_graph):
    y = torch.zeros(BATCH, N_UNITS, requires_grad=create_graph)
    z = torch.zeros(BATCH, N_UNITS)
    ys = []
    for t in range(STEPS):
        for _ in range(HELD):
            y, z, _ = step(p, y, z, inputs[:, t], create_graph)
        ys.append(y)
    return ys, z


def echo(p, inputs, ys, z_end, slopes, epsilon):
    """The summed dV/dtheta (batch mean) and dV/du_t (each example) along one echo."""
    held = {k: v.detach() for k, v in p.items()}
    y, z = ys[-1].detach(), -z_end.detach()
    sums = {k: torch.zeros_like(v) for k, v in held.items()}
    of_inputs = torch.zeros_like(inputs)
    for t in reversed(range(STEPS)):
        z = z + epsilon * slopes[t]
        u = inputs[:, t].detach()
        for _ in range(HELD):
            y, z, half = step(held, y, z, u)
            leaves = {k: v.clone().requires_grad_() for k, v in held.items()}
            u_leaf = u.clone().requires_grad_()
            value = potential(leaves, half.detach(), u_leaf).sum()
            found = torch.autograd.grad(value, [leaves[k] for k in NAMES] + [u_leaf])
            for k, g in zip(NAMES, found):
                sums[k] += g / BATCH
            of_inputs[:, t] += found[-1]
        y, z = y.detach(), z.detach()
    return sums, of_inputs


def main():
    torch.manual_seed(3)
    p = {
        "W": torch.randn(N_UNITS, N_SPRINGS) * 0.6,
        "B": torch.randn(N_INPUTS, N_SPRINGS),
        "b": torch.randn(N_SPRINGS) * 0.3,
        "w": 0.5 + torch.rand(N_UNITS),
    }
    for value in p.values():
        value.requires_grad_()
    inputs = torch.randn(BATCH, STEPS, N_INPUTS).requires_grad_()
    targets = torch.randn(BATCH, STEPS, N_UNITS) * 0.5
    data = {
        "step_size": H,
        "steps_per_input": HELD,
        "epsilon": EPSILON,
        "params": {k: tolist(v) for k, v in p.items()},
        "inputs": tolist(inputs),
        "targets": tolist(targets),
        "losses": {},
    }
    for name, every in [("end", False), ("every", True)]:
        ys, z = course(p, inputs, True)
        loss = losses(ys, targets, every)
        exact = torch.autograd.grad(loss.mean(), [p[k] for k in NAMES], retain_graph=True)
        exact_inputs = torch.autograd.grad(loss.sum(), inputs)[0]
        slopes = [
            ((ys[t] - targets[:, t]) if every or t == STEPS - 1 else torch.zeros(BATCH, N_UNITS)).detach()
            for t in range(STEPS)
        ]
        plus, minus = (echo(p, inputs.detach(), ys, z, slopes, s * EPSILON) for s in (1, -1))
        scale = -H / (2 * EPSILON)
        found = {k: scale * (plus[0][k] - minus[0][k]) for k in NAMES}
        found_inputs = scale * (plus[1] - minus[1])
        pairs = [(found[k], g) for k, g in zip(NAMES, exact)] + [(found_inputs, exact_inputs)]
        print(name, [f"{float((a - b).norm() / b.norm()):.2e}" for a, b in pairs])
        data["losses"][name] = {
            "loss": tolist(loss),
            "exact": {k: tolist(g) for k, g in zip(NAMES, exact)},
            "exact_inputs": tolist(exact_inputs),
            "echo": {k: tolist(g) for k, g in found.items()},
            "echo_inputs": tolist(found_inputs),
        }
    data["position"], data["momentum"] = tolist(ys[-1]), tolist(z)
    data["potential"] = tolist(potential(p, ys[-1], inputs[:, -1]))
    (HERE / "echo.json").write_text(json.dumps(data))


if __name__ == "__main__":
    main()
