"""Trains the official SRPO code's behavior model on the density 8gaussians and moves points with it.

    python3 official_bandit.py CLONE [--seeds 0-5] [--dropout 0.1] [--steps 12000]

CLONE is a clone of github.com/thu-ml/SRPO. Its behavior stage runs as it is at commit b3b916a, without
a state, at width 64 with two blocks and minibatches of 512 fresh points. The learning rate falls from
3e-4 to 1e-4 after 70 % of the steps. Prints one JSON object per seed: the diffusion loss on fresh
draws, and for the two rows of docs/bandit.md with a trained network the fraction of points within two
standard deviations of a center and the mean Q.
"""

import argparse
import contextlib
import json
import math
import sys
import tempfile

import torch

from official_srpo import official_modules

RADIUS, DEVIATION = 4 / math.sqrt(2), 0.5 / math.sqrt(2)
ANGLES = torch.arange(8) * math.pi / 4
CENTERS = RADIUS * torch.stack([ANGLES.cos(), ANGLES.sin()], -1)
PLACES = torch.linspace(-4, 4, 9)
TARGETS = torch.cartesian_prod(PLACES, PLACES)
DRAWS, POINT_STEPS = 8, 600


def draw(rows):
    return CENTERS[torch.randint(8, (rows,))] + DEVIATION * torch.randn(rows, 2)


def train(options, official, schedule):
    """Trains the behavior model; returns it and its loss on 200,000 fresh points."""
    args = argparse.Namespace(device="cpu", actor_blocks=2)
    stage = official.SRPO_Behavior(2, 2, schedule, args)
    network = stage.diffusion_behavior
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = options.dropout
    for step in range(options.steps):
        if step == 7 * options.steps // 10:
            stage.diffusion_optimizer.param_groups[0]["lr"] = 1e-4
        stage.update_behavior({"a": draw(512), "s": torch.empty(512, 0)})
    network.eval()
    losses = []
    with torch.no_grad():
        for _ in range(20):
            points, t, z = draw(10_000), torch.rand(10_000) * 0.999 + 0.001, torch.randn(10_000, 2)
            alpha, sigma = schedule(t)
            noised = points * alpha[:, None] + z * sigma[:, None]
            losses.append(((network(noised, t, points[:, :0]) - z) ** 2).sum(-1).mean().item())
    return network, sum(losses) / len(losses)


def move(network, schedule, form, beta):
    """Moves one point per target; returns the fraction near a center and the mean Q."""
    points = torch.nn.Parameter(TARGETS.clone())
    optimizer = torch.optim.Adam([points], lr=0.05)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, POINT_STEPS)
    for _ in range(POINT_STEPS):
        a = points.repeat_interleave(DRAWS, 0)
        low, high = (0.02, 0.02) if form == "score" else (0.02, 0.98)
        t, z = low + (high - low) * torch.rand(len(a)), torch.randn_like(a)
        alpha, sigma = schedule(t)
        with torch.no_grad():
            noised = a * alpha[:, None] + z * sigma[:, None]
            residual = network(noised, t, a[:, :0]) - z
            weight = alpha / sigma if form == "score" else sigma ** 2
            slope = -2 * (a - TARGETS.repeat_interleave(DRAWS, 0))
        loss = ((weight[:, None] * residual - beta * slope) * a).sum() / DRAWS
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        decay.step()
    points = points.detach()
    near = torch.cdist(points, CENTERS).min(1).values < 2 * DEVIATION
    q = -((points - TARGETS) ** 2).sum(-1).mean()
    return {"fraction": round(near.float().mean().item(), 4), "q": round(q.item(), 4)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("clone")
    parser.add_argument("--seeds", default="0-5")
    parser.add_argument("--steps", type=int, default=12_000)
    parser.add_argument("--dropout", type=float, default=0.1)
    options = parser.parse_args()
    first, last = map(int, options.seeds.split("-"))
    options.width = 64
    with tempfile.TemporaryDirectory() as options.folder:
        official, _, utils = official_modules(options, None)

        def schedule(t):
            return utils.marginal_prob_std(t.clone(), device="cpu", beta_1=20.0)

        for seed in range(first, last + 1):
            torch.manual_seed(seed)
            with contextlib.redirect_stdout(sys.stderr):
                network, loss = train(options, official, schedule)
            moved = [
                {"form": form, "beta": beta, **move(network, schedule, form, beta)}
                for form, beta in (("ensemble", 0.1), ("score", 1.0)) for _ in range(3)
            ]
            print(json.dumps({"seed": seed, "loss": round(loss, 4), "rows": moved}), flush=True)


if __name__ == "__main__":
    main()
