"""Trains with the official code of one algorithm and plays episodes in this project's environments.

    python3 official.py ALGORITHM CLONE DATA.hdf5 --task TASK --url URL [--seed N] [--steps N] …

CLONE is a clone of the algorithm's repository (bench/README.md has names and commits); its code is
read from there and runs as it is, except for the hidden width, which --width sets. Prints one JSON
object. The server is `deno run -A cli.ts serve-env`.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import types

import h5py
import numpy as np

from bridge_client import returns_of


def read_data(path):
    """Returns the transitions of a D4RL file, as d4rl.qlearning_dataset does."""
    with h5py.File(path) as file:
        columns = {name: file[name][:] for name in ("observations", "actions", "rewards", "terminals")}
        timeouts = file["timeouts"][:].astype(bool)
    kept = np.flatnonzero(~timeouts[:-1])
    s = columns["observations"].astype(np.float32)
    return {
        "observations": s[kept],
        "next_observations": s[kept + 1],
        "actions": columns["actions"].astype(np.float32)[kept],
        "rewards": columns["rewards"].astype(np.float32).reshape(-1)[kept],
        "terminals": columns["terminals"].astype(np.float32).reshape(-1)[kept],
    }


def scaled_by_return_range(data, official_cut):
    """Scales locomotion rewards by 1000 / (largest − smallest return), as IQL and IDQL do."""
    returns, total = [], 0.0
    last = len(data["rewards"]) - 1
    for row, reward in enumerate(data["rewards"]):
        total += reward
        if official_cut(row) or row == last:
            returns.append(total)
            total = 0.0
    return data["rewards"] / (max(returns) - min(returns)) * 1000


def checkout(clone, commit, folder, widths, width):
    """Writes a commit's files to `folder` and replaces the hidden width in the files `widths`."""
    archive = subprocess.Popen(
        ["git", "-C", clone, "archive", "--format=tar", commit], stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "-C", folder], stdin=archive.stdout, check=True)
    for name in widths:
        file = pathlib.Path(folder, name)
        file.write_text(file.read_text().replace("256", str(width)))
    sys.path.insert(0, folder)


class TorchBuffer:
    """Draws minibatches as the official PyTorch buffers do: rows with replacement."""

    def __init__(self, data, rows):
        import torch

        self.torch, self.rows = torch, rows
        self.columns = [torch.from_numpy(np.ascontiguousarray(column)) for column in (
            data["observations"], data["actions"], data["next_observations"],
            data["rewards"][:, None], 1 - data["terminals"][:, None])]

    def sample(self, _=None):
        index = self.torch.randint(0, len(self.columns[0]), (self.rows,))
        return tuple(column[index] for column in self.columns)


def td3_bc(options, data):
    import torch

    checkout(options.clone, "8791ad7d7656cb8396f1b3ac8c37f170b2a2dd5f", options.folder,
             ["TD3_BC.py"], options.width)
    import TD3_BC

    torch.manual_seed(options.seed)
    # Normalize in float64, as the official buffer does.
    s = data["observations"].astype(np.float64)
    mean, std = s.mean(0, keepdims=True), s.std(0, keepdims=True) + 1e-3
    normalized = {name: ((data[name] - mean) / std).astype(np.float32)
                  for name in ("observations", "next_observations")}
    agent = TD3_BC.TD3_BC(s.shape[1], data["actions"].shape[1], 1.0)
    buffer = TorchBuffer({**data, **normalized}, options.batch_size)

    def act(observations):
        with torch.no_grad():
            states = torch.tensor((observations - mean) / std, dtype=torch.float32)
            return agent.actor(states).numpy()

    return lambda: agent.train(buffer), act


def diffusion_ql(options, data):
    import torch

    checkout(options.clone, "d871f5c6b4a3a3a19a10c662a54f32d5819dfcdb", options.folder,
             ["agents/model.py", "agents/ql_diffusion.py"], options.width)
    # Its logging needs packages that do not affect the results.
    sys.modules["utils.logger"] = types.SimpleNamespace(logger=None)
    from agents.ql_diffusion import Diffusion_QL

    torch.manual_seed(options.seed)
    np.random.seed(options.seed)
    agent = Diffusion_QL(
        data["observations"].shape[1], data["actions"].shape[1], 1.0, "cpu", discount=0.99,
        tau=0.005, beta_schedule="vp", n_timesteps=5, eta=options.eta, lr=3e-4,
        grad_norm=options.grad_norm)
    buffer = TorchBuffer(data, options.batch_size)

    def act(observations):
        # Like sample_action for one state: draws one of 50 candidates by softmax of Q.
        n = len(observations)
        states = torch.repeat_interleave(torch.from_numpy(observations), 50, dim=0)
        with torch.no_grad():
            actions = agent.actor.sample(states)
            q = agent.critic_target.q_min(states, actions).reshape(n, 50)
            place = torch.multinomial(torch.softmax(q, 1), 1)
        return actions.reshape(n, 50, -1)[torch.arange(n), place[:, 0]].numpy()

    return lambda: agent.train(buffer, 1, options.batch_size), act


def use_old_jax_names():
    import flax
    import jax

    jax.tree_multimap = jax.tree_util.tree_map
    jit = jax.jit

    def tolerant(function=None, **options):
        # Older versions took static_argnames that the function lacks.
        if function is None:
            return lambda each: tolerant(each, **options)
        names = options.get("static_argnames", ())
        names = (names,) if isinstance(names, str) else names
        known = function.__code__.co_varnames[: function.__code__.co_argcount]
        options["static_argnames"] = tuple(name for name in names if name in known)
        return jit(function, **options)

    jax.jit = tolerant
    return flax


def shaped_rewards(options, data):
    """Returns the rewards that the official IQL and IDQL code uses in a task."""
    if options.task.startswith("antmaze"):
        return data["rewards"] - 1
    if options.task.startswith("maze2d"):
        return data["rewards"]
    s, s_next = data["observations"], data["next_observations"]
    cut = lambda row: row + 1 < len(s) and (
        np.linalg.norm(s[row + 1] - s_next[row]) > 1e-6 or data["terminals"][row] == 1)
    return scaled_by_return_range(data, cut)


def clipped(data):
    limit = 1 - 1e-5
    return np.clip(data["actions"], -limit, limit)


def iql(options, data):
    flax = use_old_jax_names()
    flax.config.update("flax_return_frozendict", True)
    checkout(options.clone, "09d700248117881a75cb21f0adb95c6c8a694cb2", options.folder, [], None)
    from common import Batch
    from learner import Learner

    agent = Learner(
        options.seed, data["observations"][:1], data["actions"][:1],
        hidden_dims=(options.width, options.width), max_steps=options.steps,
        expectile=options.expectile, temperature=options.temperature)
    rewards, actions = shaped_rewards(options, data), clipped(data)
    draw = np.random.default_rng(options.seed)

    def step():
        index = draw.integers(len(rewards), size=options.batch_size)
        agent.update(Batch(
            observations=data["observations"][index], actions=actions[index],
            rewards=rewards[index], masks=1 - data["terminals"][index],
            next_observations=data["next_observations"][index]))

    return step, lambda observations: agent.sample_actions(observations, temperature=0.0)


def idql(options, data):
    import gym
    import jax

    checkout(options.clone, "7582571ce686c77b4ee0f592dd639ab8151295fa", options.folder,
             ["jaxrl5/networks/resnet.py"], options.width)
    # Packages without their __init__.py, which would import every other agent.
    for name in ("jaxrl5", "jaxrl5.agents", "jaxrl5.agents.ddpm_iql_simple", "jaxrl5.data"):
        package = types.ModuleType(name)
        package.__path__ = [str(pathlib.Path(options.folder, *name.split(".")))]
        sys.modules[name] = package
    from jaxrl5.agents.ddpm_iql_simple import ddpm_iql_learner as official
    from jaxrl5.networks import ddpm_sampler

    space = lambda name: gym.spaces.Box(-1, 1, data[name].shape[1:], np.float32)
    agent = official.DDPMIQLLearner.create(
        options.seed, space("observations"), space("actions"),
        critic_hidden_dims=(options.width, options.width), critic_hyperparam=options.expectile,
        actor_num_blocks=options.blocks, actor_dropout_rate=0.1, T=5, N=options.candidates,
        decay_steps=options.steps)
    holder = {"agent": agent, "rng": jax.random.PRNGKey(options.seed)}
    rewards, actions = shaped_rewards(options, data), clipped(data)
    draw = np.random.default_rng(options.seed)

    def step():
        index = draw.integers(len(rewards), size=options.batch_size)
        holder["agent"], _ = holder["agent"].update({
            "observations": data["observations"][index], "actions": actions[index],
            "rewards": rewards[index], "masks": 1 - data["terminals"][index],
            "next_observations": data["next_observations"][index]})

    def act(observations):
        # Like eval_actions for one state: the best of N candidates under the target Q.
        agent, n = holder["agent"], len(observations)
        padded = 1 << (n - 1).bit_length()  # few shapes, so that little is compiled
        states = np.zeros((padded, observations.shape[1]), np.float32)
        states[:n] = observations
        states = np.repeat(states, agent.N, axis=0)
        candidates, holder["rng"] = ddpm_sampler(
            agent.score_model.apply_fn, agent.target_score_model.params, agent.T, holder["rng"],
            agent.act_dim, states, agent.alphas, agent.alpha_hats, agent.betas,
            agent.ddpm_temperature, agent.M, agent.clip_sampler)
        q = official.compute_q(
            agent.target_critic.apply_fn, agent.target_critic.params, states, candidates)
        best = np.asarray(q).reshape(padded, -1).argmax(1)
        return np.asarray(candidates).reshape(padded, agent.N, -1)[np.arange(n), best[:n]]

    return step, act


ALGORITHMS = {"td3-bc": td3_bc, "diffusion-ql": diffusion_ql, "iql": iql, "idql": idql}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("algorithm", choices=ALGORITHMS)
    parser.add_argument("clone")
    parser.add_argument("data")
    parser.add_argument("--task", required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--blocks", type=int, default=3)
    parser.add_argument("--candidates", type=int, default=64, help="of idql")
    parser.add_argument("--expectile", type=float, default=0.7)
    parser.add_argument("--temperature", type=float, default=3.0)
    parser.add_argument("--eta", type=float, default=1.0)
    parser.add_argument("--grad-norm", type=float, default=9.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as options.folder:
        step, act = ALGORITHMS[options.algorithm](options, read_data(options.data))
        begin = time.monotonic()
        for _ in range(options.steps):
            step()
        seconds = time.monotonic() - begin
        returns, reference = returns_of(options.url, options.task, options.episodes, act)
    low, high = reference["min"], reference["max"]
    print(json.dumps({
        "algorithm": options.algorithm, "task": options.task, "seed": options.seed,
        "steps": options.steps, "steps_per_second": round(options.steps / seconds, 1),
        "return": returns.mean(), "score": 100 * (returns.mean() - low) / (high - low),
        "returns": returns.tolist(),
    }))


if __name__ == "__main__":
    main()
