"""PyTorch as a contestant of the benchmarks: `python3 bench/peers/pytorch.py [--device cuda] [--compile]`.

Answers requests on standard input, one line of JSON each (see bench/support/tasks.ts). On the CPU it
uses one thread per core. On CUDA every timing ends with a synchronisation. Losses are never read
back during a timing.
"""

import argparse
import json
import os
import sys
import time

import torch
from torch import nn
from torch.nn import functional

from pytorch_stages import SEEDS, STAGES, descend, drawn, fields, given, minibatches, samples
from pytorch_stages import DATA_ROWS, set_samples


def prepare_mlp(device, compiled):
    network = nn.Sequential(
        nn.Linear(28, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 1)
    )
    network = set_samples(network, SEEDS["mlp"]).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-4)
    x = samples(SEEDS["state"], 256, 28).to(device)
    y = samples(SEEDS["reward"], 256, 1).to(device)
    loss = compiled(lambda: functional.mse_loss(network(x), y))
    return lambda: (descend(loss(), optimizer),)


def prepare_product(task, device):
    rows, inputs, outputs = task["rows"], task["inputs"], task["outputs"]
    x = samples(SEEDS["state"], rows, inputs).to(device)
    dy = samples(SEEDS["noise"], rows, outputs).to(device)
    weight = samples(SEEDS["mlp"], outputs, inputs).to(device)
    bias = samples(SEEDS["mlp"] + 1, outputs).to(device)
    return {
        "forward": lambda: functional.linear(x, weight, bias),
        "input": lambda: dy @ weight,
        "weight": lambda: (dy.t() @ x, dy.sum(0)),
    }[task["form"]]


def prepare(task, device, compiled):
    """Returns a function that computes one step."""
    if task.get("seeds", 1) != 1 or task.get("tiny"):
        raise ValueError(f"PyTorch is timed with one seed at full size, not {task}")
    if task["step"] == "mlp":
        return prepare_mlp(device, compiled)
    if task["step"] == "product":
        return prepare_product(task, device)
    stage = STAGES[task["step"]](device, compiled)
    batches = minibatches(fields(DATA_ROWS, device, 0.002), stage.rows)
    return lambda: stage.step(next(batches), drawn)


def losses(task, steps, device, compiled):
    """Returns the losses of steps from the sample weights on the sample batch."""
    if task["step"] == "mlp":
        step = prepare_mlp(device, compiled)
    else:
        stage = STAGES[task["step"]](device, compiled)
        batch = fields(stage.rows, device, 0.1)
        step = lambda: stage.step(batch, given)
    return [loss.item() for _ in range(steps) for loss in step()]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    device = torch.device(options.device)
    compiled = torch.compile if options.compile else lambda function: function
    if device.type == "cpu":
        torch.set_num_threads(os.cpu_count())
        core = os.environ.get("OPENBLAS_CORETYPE", "chosen by itself")
        about = f"{torch.get_num_threads()} threads, OPENBLAS_CORETYPE {core}"
    else:
        about = torch.cuda.get_device_name(device)

    def run(step, steps):
        start = time.perf_counter()
        for _ in range(steps):
            step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    ready = {}

    def answer(request):
        task = request["task"]
        if request["ask"] == "describe":
            return {}
        if request["ask"] == "losses":
            return {"losses": losses(task, request["steps"], device, compiled)}
        key = json.dumps(task)
        if key not in ready:
            step = prepare(task, device, compiled)
            run(step, 3)
            ready[key] = step, run(step, 1)
        step, expected = ready[key]
        steps = max(1, round(request["seconds"] / expected))
        seconds = run(step, steps)
        ready[key] = step, seconds / steps
        return {"steps": steps, "seconds": seconds}

    print(json.dumps({"device": f"torch {torch.__version__}, {about}"}), flush=True)
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line))
        except Exception as error:  # the benchmark reports any error and continues
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)


main()
