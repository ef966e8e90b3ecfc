"""This machine's measured peak of float32 matrix products, as JSON.

The rate of each size is that of its median time; the peak is the best of them. With `--packed`
products by oneDNN with a packed right factor are measured too, on a CPU.
"""

import argparse
import json
import statistics

import torch

import common

SIZES = (
    (2048, 2048, 2048),
    (1024, 1024, 1024),
    (128, 1024, 1024),
    (128, 784, 500),
    (32, 1024, 1024),
    (20, 784, 500),
    (16, 1024, 1024),
)


def rates(m: int, k: int, n: int, device: str, seconds: float, packed: bool) -> dict:
    """GFLOP/s of `[m, k] @ [k, n]`, with the right factor as it is, transposed and packed."""
    left = torch.rand(m, k, device=device)
    right = torch.rand(k, n, device=device)
    transposed = right.t().contiguous().t()
    out = torch.empty(m, n, device=device)
    products = {
        "plain": lambda: torch.mm(left, right, out=out),
        "transposed": lambda: torch.mm(left, transposed, out=out),
    }
    if packed:
        weight = torch.ops.mkldnn._reorder_linear_weight(right.t().contiguous(), m)
        linear = torch.ops.mkldnn._linear_pointwise
        products["packed"] = lambda: linear(left, weight, None, "none", [], "")
    n_operations = 2 * m * k * n
    times = {name: common.measure(step, device, seconds) for name, step in products.items()}
    return {name: n_operations / statistics.median(t) / 1e9 for name, t in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures the rate of matrix products.")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, help="threads of the CPU [default: torch's choice]")
    parser.add_argument("--seconds", type=float, default=0.5, help="how long to measure a size")
    parser.add_argument("--packed", action="store_true", help="packed products too")
    parser.add_argument("--tf32", action="store_true", help="allow TF32 products on a GPU")
    options = parser.parse_args()
    common.set_up(options)
    with torch.no_grad():
        sizes = {
            "x".join(map(str, size)): rates(
                *size, options.device, options.seconds, options.packed
            )
            for size in SIZES
        }
    report = {
        "program": "roofline",
        "peak_gflops": max(rate for rates in sizes.values() for rate in rates.values()),
        "gflops": sizes,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "device": common.device_name(options.device),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
