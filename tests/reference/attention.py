"""Independent float64 reference values for networks with softmax attention within a layer.

The energy is written token by token, and all else comes from it by automatic differentiation, so that no
hand-written derivative is shared with the code under test.  Run with `pip install torch` and
`python attention.py`; it rewrites the `attention_*.json` files beside it.

    E(x, s)  = sum_k G_k(s_k) - sum_k b_k . s_k - sum_edges <s_post, f_edge(s_pre)> + E_att(s_1)
    E_att(g) = -1/b sum_heads sum_q log sum_k exp(b Q_q . K_k),  Q_q = g_q W_q,  K_k = g_k W_k,  b = 1/sqrt(width)
    s       <- sigma(-d(F - G)/ds) with half a step, until no number changes,  F = E + beta C
    C        = 1/2 |s_out - y|^2                       (squared error, per example)

The tokens g_q are the positions of the first layer's feature maps, patches of the image through a convolution
whose stride is its kernel.  "W_q" and "W_k" are [channels, heads * width], one head after the other.
tanh has the potential 1/2 [(1+s) ln(1+s) + (1-s) ln(1-s)], sigmoid 1/(1 + exp(-4(u - 1/2))) has
1/4 [s ln s + (1-s) ln(1-s)] + 1/2 s, identity 1/2 s^2.  A gradient is that of the batch mean of C at the free
equilibrium; "exact" is backpropagation through the relaxation, unrolled there.  Dense weights are
[n_in, n_out] and convolutions [out, in, kh, kw]; layers of maps are flattened in the order C, H, W.
"""

import json
import pathlib

import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
HERE = pathlib.Path(__file__).parent
F = torch.nn.functional
xlogx = lambda v: torch.xlogy(v, v)
SIGMA = {
    "tanh": torch.tanh,
    "sigmoid": lambda u: torch.sigmoid(4 * u - 2),
    "identity": lambda u: u,
}
POTENTIAL = {
    "tanh": lambda s: 0.5 * (xlogx(1 + s) + xlogx(1 - s)),
    "sigmoid": lambda s: 0.25 * (xlogx(s) + xlogx(1 - s)) + 0.5 * s,
    "identity": lambda s: 0.5 * s**2,
}
STEPS, UNROLLED = 1500, 300


def tolist(t):
    return {"shape": list(t.shape), "data": [float(v) for v in t.detach().reshape(-1)]}


def leaf(*shape, scale):
    return (torch.randn(*shape) * scale).requires_grad_()


def attention_energy(g, w_q, w_k, heads):
    """E_att of each example; `g` is [batch, tokens, channels]."""
    width = w_q.shape[1] // heads
    b = width**-0.5
    total = torch.zeros(g.shape[0])
    for h in range(heads):
        columns = slice(h * width, (h + 1) * width)
        q, k = g @ w_q[:, columns], g @ w_k[:, columns]
        for token in range(g.shape[1]):
            scores = torch.stack([(q[:, token] * k[:, other]).sum(1) for other in range(g.shape[1])], 1)
            total = total - torch.logsumexp(b * scores, 1) / b
    return total


def case(name, image, patch, channels, heads, width, memories, activations, beta, seed, batch=4, classes=3):
    """Patches -> tokens with attention (-> hidden maps of each token) -> output."""
    torch.manual_seed(seed)
    side = image // patch
    p = {"K0": leaf(channels, 1, patch, patch, scale=0.9 / patch)}
    shapes = [(channels, side, side)]
    if memories:
        p["K1"] = leaf(memories, channels, 1, 1, scale=0.5 / channels**0.5)
        shapes.append((memories, side, side))
    last = shapes[-1][0] * side * side
    p["W"] = leaf(last, classes, scale=0.7 / last**0.5)
    p["W_q"] = leaf(channels, heads * width, scale=1.0 / channels**0.5)
    p["W_k"] = leaf(channels, heads * width, scale=1.0 / channels**0.5)
    shapes.append((classes,))
    for index, shape in enumerate(shapes):
        p[f"b{index}"] = leaf(shape[0], scale=0.2)
    names = list(p)
    x = torch.rand(batch, 1, image, image)
    labels = torch.randint(classes, (batch,))
    target = F.one_hot(labels, classes).to(x.dtype)

    def interactions(s):
        tokens = s[0]
        e = -(F.conv2d(x, p["K0"], stride=patch) * tokens).flatten(1).sum(1)
        if memories:
            e = e - (F.conv2d(tokens, p["K1"]) * s[1]).flatten(1).sum(1)
        e = e - ((s[-2].flatten(1) @ p["W"]) * s[-1]).sum(1)
        for index, value in enumerate(s):
            bias = p[f"b{index}"]
            e = e - (value * (bias if value.dim() == 2 else bias[:, None, None])).flatten(1).sum(1)
        return e + attention_energy(tokens.flatten(2).transpose(1, 2), p["W_q"], p["W_k"], heads)

    def energy(s):
        potentials = [POTENTIAL[a](v).flatten(1).sum(1) for a, v in zip(activations, s)]
        return sum(potentials) + interactions(s)

    def cost(s):
        return 0.5 * ((s[-1] - target) ** 2).sum(1)

    def respond(s, b, keep_graph=False):
        if not keep_graph:
            s = [v.detach().requires_grad_() for v in s]
        total = (interactions(s) + b * cost(s)).sum()
        slopes = torch.autograd.grad(total, s, create_graph=keep_graph)
        return [SIGMA[a](-g) for a, g in zip(activations, slopes)]

    def settle(s, b):
        for _ in range(STEPS):
            s = [(0.5 * v + 0.5 * r).detach() for v, r in zip(s, respond(s, b))]
        residual = max((v - r).abs().max().item() for v, r in zip(s, respond(s, b)))
        assert residual < 1e-14, residual
        return s

    # Where the network is at rest.
    rest = {"tanh": 0.0, "sigmoid": 0.5, "identity": 0.0}
    free = settle([torch.full((batch, *shape), rest[a]) for a, shape in zip(activations, shapes)], 0.0)
    nudged = {"positive": settle(free, beta), "negative": settle(free, -beta)}

    def estimate(first, second, difference):
        mean = (energy([v.detach() for v in first]) - energy([v.detach() for v in second])).mean() / difference
        return dict(zip(names, torch.autograd.grad(mean, list(p.values()))))

    gradients = {
        "positive": estimate(nudged["positive"], free, beta),
        "negative": estimate(free, nudged["negative"], beta),
        "centered": estimate(nudged["positive"], nudged["negative"], 2 * beta),
    }
    through = [v.detach().requires_grad_() for v in free]
    for _ in range(UNROLLED):
        through = [0.5 * v + 0.5 * r for v, r in zip(through, respond(through, 0.0, keep_graph=True))]
    gradients["exact"] = dict(zip(names, torch.autograd.grad(cost(through).mean(), list(p.values()))))
    exact = torch.cat([gradients["exact"][n].flatten() for n in names])
    for kind in ("positive", "centered"):
        found = torch.cat([gradients[kind][n].flatten() for n in names])
        pairs = [(gradients[kind][n].flatten(), gradients["exact"][n].flatten()) for n in names]
        cosines = [float(a @ b / (a.norm() * b.norm())) for a, b in pairs]
        off = float((found - exact).norm() / exact.norm())
        print(f"{name} {kind:9s} lowest cosine {min(cosines):.7f} relative error {off:.2e}")
    share = [float(g.norm() / exact.norm()) for g in gradients["exact"].values()]
    print("    share of the gradient:", {n: round(v, 3) for n, v in zip(names, share)})

    data = {
        "name": name,
        "beta": beta,
        "activations": activations,
        "heads": heads,
        "width": width,
        "params": {n: tolist(v) for n, v in p.items()},
        "input": tolist(x),
        "labels": labels.tolist(),
        "free": {
            "state": [tolist(v) for v in free],
            "energy": tolist(energy(free)),
            "cost": tolist(cost(free)),
        },
        "nudged": {sign: {"state": [tolist(v) for v in s]} for sign, s in nudged.items()},
        "gradients": {
            kind: {n: tolist(g) for n, g in found.items()} for kind, found in gradients.items()
        },
    }
    (HERE / f"{name}.json").write_text(json.dumps(data))


if __name__ == "__main__":
    case("attention_tokens", 4, 2, 5, 2, 3, 0, ["tanh", "identity"], 0.1, seed=1)
    case("attention_memory", 6, 2, 4, 1, 4, 3, ["tanh", "sigmoid", "sigmoid"], 0.1, seed=2)
