"""Trains the three stages of the official SRPO code and plays episodes in this project's environments.

    python3 official_srpo.py CLONE DATA.hdf5 --task TASK --url URL [--seed N] [--preset maze|hopper] …

CLONE is a clone of github.com/thu-ml/SRPO. Its code is read from there at commit b3b916a and runs as
it is, except for the hidden width, the device, and the periods of the two cosine schedules, which
follow the number of steps. The behavior model's learning rate and its cosine schedule are those of
this project's quick preset. Prints two JSON objects, one for the critic stage's policy
(srpo/awr) and one for the extracted policy (srpo). The server is `deno run -A cli.ts serve-env`.
"""

import argparse
import contextlib
import json
import pathlib
import sys
import tempfile
import time
import types
import warnings

import numpy as np
import torch

from bridge_client import returns_of
from official import checkout, read_data

COMMIT = "b3b916ad90e716c118c18144cd332408c4071096"

# The budgets: this project's quick presets (lib/algorithms/srpo/hyperparameters.ts).
PRESETS = {
    "maze": {"critic_steps": 20000, "behavior_steps": 8000, "policy_steps": 3000,
             "width": 64, "blocks": 2, "policy_layers": 4, "beta": 0.3},
    "hopper": {"critic_steps": 10000, "behavior_steps": 20000, "policy_steps": 10000,
               "width": 128, "blocks": 3, "policy_layers": 2, "beta": 0.003},
}


def official_modules(options, data):
    """Imports the official code, with stand-ins for gym and d4rl that return `data`."""
    checkout(options.clone, COMMIT, options.folder, ["model.py"], options.width)
    for name in ("SRPO.py", "model.py", "utils.py", "dataset.py"):
        file = pathlib.Path(options.folder, name)
        file.write_text(file.read_text().replace('"cuda"', '"cpu"'))
    sys.modules["gym"] = types.SimpleNamespace(make=lambda name: name)
    sys.modules["d4rl"] = types.SimpleNamespace(qlearning_dataset=lambda _: data)
    import dataset
    import SRPO
    import utils

    return SRPO, dataset, utils


def train(options, data):
    """Trains the three stages; returns the two deterministic policies and seconds by stage."""
    official, dataset, utils = official_modules(options, data)
    torch.manual_seed(options.seed)
    np.random.seed(options.seed)
    args = argparse.Namespace(
        env=options.task, device="cpu", q_layer=2, actor_blocks=options.blocks,
        policy_layer=options.policy_layers, n_policy_epochs=1, beta=options.beta,
        regq=int("maze" in options.task), WT="VDSnoise" if options.subtract_baseline else "VDS")
    # The official buffer scales rewards in place.
    rewards = data["rewards"].copy()
    buffer = dataset.D4RL_dataset(args)
    if options.task.startswith("maze2d"):
        # This project leaves maze2d's rewards unchanged (docs/paper.md).
        buffer.rewards = torch.from_numpy(rewards).reshape(-1, 1)
    state, action = data["observations"].shape[1], data["actions"].shape[1]
    schedule = lambda t: utils.marginal_prob_std(t, device="cpu", beta_1=20.0)
    seconds = {}

    def run(stage, steps, step):
        begin = time.monotonic()
        for _ in range(steps):
            step()
        seconds[stage] = round(time.monotonic() - begin, 1)

    critic = official.SRPO_IQL(state + action, action, args)
    critic.deter_policy_lr_scheduler.T_max = options.critic_steps
    run("critic", options.critic_steps,
        lambda: critic.update_iql(buffer.sample(options.batch_size)))

    behavior = official.SRPO_Behavior(state + action, action, schedule, args)
    for group in behavior.diffusion_optimizer.param_groups:
        group["lr"] = 1e-3
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(
        behavior.diffusion_optimizer, options.behavior_steps)

    def behavior_step():
        behavior.update_behavior(buffer.sample(options.batch_size))
        decay.step()

    run("behavior", options.behavior_steps, behavior_step)

    srpo = official.SRPO(state + action, action, schedule, args)
    srpo.SRPO_policy_lr_scheduler.T_max = options.policy_steps
    srpo.diffusion_behavior.load_state_dict(behavior.diffusion_behavior.state_dict())
    srpo.q[0].load_state_dict(critic.q[0].state_dict())
    run("policy", options.policy_steps,
        lambda: srpo.update_SRPO_policy(buffer.sample(options.batch_size)))
    return {"srpo/awr": critic.deter_policy, "srpo": srpo.SRPO_policy}, seconds


def milliseconds_per_action(act, size):
    """Processor time of an action for one observation, as tools/action_times.ts measures it."""
    observation = np.random.randn(1, size).astype(np.float32)

    def run(seconds):
        end, begin, calls = time.monotonic() + seconds, time.process_time(), 0
        while time.monotonic() < end:
            act(observation)
            calls += 1
        return 1000 * (time.process_time() - begin) / calls

    run(0.5)
    return run(2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("clone")
    parser.add_argument("data")
    parser.add_argument("--task", required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--preset", choices=PRESETS, default="maze")
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--subtract-baseline", type=int, default=1)
    for name, value in PRESETS["maze"].items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value))
    options = parser.parse_args()
    for name, value in PRESETS[options.preset].items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    # The official code prints its settings and copies tensors in a way that PyTorch warns about.
    warnings.filterwarnings("ignore", category=UserWarning)
    with tempfile.TemporaryDirectory() as options.folder, contextlib.redirect_stdout(sys.stderr):
        data = read_data(options.data)
        policies, seconds = train(options, data)
    for name, policy in policies.items():
        with torch.no_grad():
            act = lambda observations: policy(torch.from_numpy(observations)).numpy()
            milliseconds = milliseconds_per_action(act, data["observations"].shape[1])
            returns, reference = returns_of(options.url, options.task, options.episodes, act)
        low, high = reference["min"], reference["max"]
        print(json.dumps({
            "algorithm": name, "task": options.task, "seed": options.seed,
            "steps": {stage: getattr(options, f"{stage}_steps") for stage in seconds},
            "seconds": seconds, "threads": torch.get_num_threads(), "beta": options.beta,
            "action_ms": milliseconds, "return": returns.mean(), "score": 100 * (returns.mean() - low) / (high - low),
            "returns": returns.tolist(),
        }), flush=True)


if __name__ == "__main__":
    main()
