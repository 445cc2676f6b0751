"""Records training with the official code of an algorithm: weights, rows, random draws and losses.

    python3 trajectory.py ALGORITHM CLONE DATA.hdf5 OUT.safetensors --task TASK [--steps N] …

bench/trajectory.ts trains with the recorded numbers and compares. CLONE is as for official.py. The
values of a task are those of the quick preset; SRPO's learning rates are the official code's, and its
policy stage starts from the critic and behavior model of as many steps. IDQL runs without dropout.
Parameters have the names and the layout of this program's checkpoints; the first axis of everything
else is the step.
"""

import argparse
import sys
import tempfile
import types

import numpy as np
from safetensors.numpy import save_file

from official import checkout, clipped, read_data, shaped_rewards, use_old_jax_names

MAZE = {"expectile": 0.9, "temperature": 10.0, "eta": 2.0, "grad_norm": 2.0, "beta": 0.3,
        "policy_layers": 4}
LOCOMOTION = {"expectile": 0.7, "temperature": 3.0, "eta": 1.0, "grad_norm": 9.0, "beta": 0.003,
              "policy_layers": 2}
WIDTH, BLOCKS = 64, 2


class Minibatches:
    """Draws rows with replacement and keeps what it drew."""

    def __init__(self, columns, rows, seed):
        self.columns, self.rows = columns, rows
        self.draw = np.random.default_rng(seed)

    def next(self):
        index = self.draw.integers(len(self.columns["r"]), size=self.rows)
        self.drawn = {f"batch.{name}": column[index] for name, column in self.columns.items()}
        return [self.drawn[f"batch.{name}"] for name in ("s", "a", "r", "d", "s_next")]


def columns_of(data, **replaced):
    return {"s": data["observations"], "a": data["actions"], "r": data["rewards"][:, None],
            "d": data["terminals"][:, None], "s_next": data["next_observations"], **replaced}


def torch_numbers(modules):
    """Returns named parameters of torch modules; `modules` maps our prefix to a module or layers."""
    numbers = {}
    for prefix, module in modules.items():
        parameters = (module.named_parameters() if hasattr(module, "named_parameters") else (
            (f"{2 * i}.{kind}", getattr(layer, kind))
            for i, layer in enumerate(module) for kind in ("weight", "bias")))
        numbers |= {f"{prefix}.{name}": values.detach().numpy().copy() for name, values in parameters}
    return numbers


class TorchDraws:
    """Keeps what torch and numpy draw. Draws happen as in the official code."""

    def __init__(self, torch):
        self.normal, self.time, self.coin = [], [], []
        for name, kept in (("randn", self.normal), ("randn_like", self.normal), ("randint", self.time)):
            setattr(torch, name, self._keeping(getattr(torch, name), kept))
        np.random.uniform = self._keeping(np.random.uniform, self.coin)

    def _keeping(self, function, kept):
        def draw(*arguments, **options):
            value = function(*arguments, **options)
            kept.append(np.array(value, np.float32))
            return value
        return draw

    def take(self):
        taken = {"draw.normal": np.stack(self.normal)}
        if self.time:
            taken |= {"draw.time": self.time[0][:, None], "draw.head": np.float32(self.coin[0] <= 0.5).reshape(1)}
        for kept in (self.normal, self.time, self.coin):
            kept.clear()
        return taken


class TorchBuffer:
    def __init__(self, batches, torch):
        self.batches, self.torch = batches, torch

    def sample(self, _=None):
        s, a, r, d, s_next = map(self.torch.from_numpy, self.batches.next())
        return s, a, s_next, r, 1 - d


def td3_bc(options, data):
    import torch

    checkout(options.clone, "8791ad7d7656cb8396f1b3ac8c37f170b2a2dd5f", options.folder,
             ["TD3_BC.py"], WIDTH)
    import TD3_BC

    torch.manual_seed(options.seed)
    s = data["observations"]
    mean, std = s.mean(0, keepdims=True), s.std(0, keepdims=True) + 1e-3
    agent = TD3_BC.TD3_BC(s.shape[1], data["actions"].shape[1], 1.0)
    batches = Minibatches(
        columns_of(data, s=(s - mean) / std, s_next=(data["next_observations"] - mean) / std),
        options.rows, options.seed)
    layers = lambda module, first: [getattr(module, f"l{first + i}") for i in range(3)]
    modules = {
        "critic.q1": layers(agent.critic, 1), "critic.q2": layers(agent.critic, 4),
        "critic_target.q1": layers(agent.critic_target, 1),
        "critic_target.q2": layers(agent.critic_target, 4),
        "actor.net": layers(agent.actor, 1), "actor_target.net": layers(agent.actor_target, 1)}
    buffer, draws = TorchBuffer(batches, torch), TorchDraws(torch)

    def step():
        agent.train(buffer, options.rows)
        return batches.drawn | draws.take(), {}

    return step, lambda: torch_numbers(modules)


def diffusion_ql(options, data):
    import torch

    checkout(options.clone, "d871f5c6b4a3a3a19a10c662a54f32d5819dfcdb", options.folder,
             ["agents/model.py", "agents/ql_diffusion.py"], WIDTH)
    sys.modules["utils.logger"] = types.SimpleNamespace(logger=None)
    from agents.ql_diffusion import Diffusion_QL

    torch.manual_seed(options.seed)
    np.random.seed(options.seed)
    agent = Diffusion_QL(
        data["observations"].shape[1], data["actions"].shape[1], 1.0, "cpu", discount=0.99,
        tau=0.005, beta_schedule="vp", n_timesteps=5, eta=options.values["eta"], lr=3e-4,
        grad_norm=options.values["grad_norm"])
    batches = Minibatches(columns_of(data), options.rows, options.seed)
    modules = {name: getattr(agent, name)
               for name in ("actor", "ema_model", "critic", "critic_target")}
    buffer, draws = TorchBuffer(batches, torch), TorchDraws(torch)
    names = {"critic_loss": "loss_critic", "bc_loss": "loss_imitation", "ql_loss": "loss_improvement"}

    def step():
        found = agent.train(buffer, 1, options.rows)
        return batches.drawn | draws.take(), {ours: found[name][0] for name, ours in names.items()}

    return step, lambda: torch_numbers(modules)


def iql(options, data):
    import jax

    if options.float64:
        jax.config.update("jax_enable_x64", True)
    use_old_jax_names().config.update("flax_return_frozendict", True)
    checkout(options.clone, "09d700248117881a75cb21f0adb95c6c8a694cb2", options.folder, [], None)
    from common import Batch
    from learner import Learner

    with jax.experimental.disable_x64():
        agent = Learner(
            options.seed, data["observations"][:1], data["actions"][:1],
            hidden_dims=(WIDTH, WIDTH), max_steps=options.steps,
            expectile=options.values["expectile"], temperature=options.values["temperature"])
    if options.float64:
        for name in ("actor", "critic", "value", "target_critic"):
            network = getattr(agent, name)
            params = jax.tree_util.tree_map(lambda leaf: leaf.astype(np.float64), network.params)
            setattr(agent, name, network.replace(
                params=params, opt_state=network.tx and network.tx.init(params)))
    batches = Minibatches(
        columns_of(data, a=clipped(data), r=shaped_rewards(options, data)[:, None]),
        options.rows, options.seed)
    dtype = np.float64 if options.float64 else np.float32

    def step():
        s, a, r, d, s_next = (column.astype(dtype) for column in batches.next())
        info = agent.update(Batch(
            observations=s, actions=a, rewards=r[:, 0], masks=1 - d[:, 0], next_observations=s_next))
        return batches.drawn, {"loss_v": info["value_loss"], "loss_policy": info["actor_loss"],
                               "loss_q": info["critic_loss"]}

    def numbers():
        found = {}
        for place, params in (("critic", agent.critic.params), ("target_critic", agent.target_critic.params)):
            for head in range(2):
                found |= dense(f"{place}.q{head + 1}", params[f"Critic_{head}"]["MLP_0"])
        found |= dense("value.net", agent.value.params["MLP_0"])
        actor = agent.actor.params
        found |= dense("policy.mean.net", {**actor["MLP_0"], "Dense_2": actor["Dense_0"]})
        return found | {"policy.log_std": np.asarray(actor["log_stds"])}

    return step, numbers


def dense(prefix, layers):
    """Returns weights [out, in] and biases of Flax's Dense layers 0, 1, … as layers 0, 2, …"""
    found = {}
    for i in range(len(layers)):
        layer = layers[f"Dense_{i}"]
        found[f"{prefix}.{2 * i}.weight"] = np.asarray(layer["kernel"]).T
        found[f"{prefix}.{2 * i}.bias"] = np.asarray(layer["bias"])
    return found


def idql(options, data):
    import gym
    import jax
    import pathlib

    checkout(options.clone, "7582571ce686c77b4ee0f592dd639ab8151295fa", options.folder,
             ["jaxrl5/networks/resnet.py"], WIDTH)
    for name in ("jaxrl5", "jaxrl5.agents", "jaxrl5.agents.ddpm_iql_simple", "jaxrl5.data"):
        package = types.ModuleType(name)
        package.__path__ = [str(pathlib.Path(options.folder, *name.split(".")))]
        sys.modules[name] = package
    from jaxrl5.agents.ddpm_iql_simple.ddpm_iql_learner import DDPMIQLLearner

    space = lambda name: gym.spaces.Box(-1, 1, data[name].shape[1:], np.float32)
    agent = DDPMIQLLearner.create(
        options.seed, space("observations"), space("actions"), critic_hidden_dims=(WIDTH, WIDTH),
        critic_hyperparam=options.values["expectile"], actor_num_blocks=BLOCKS, T=5,
        decay_steps=options.steps)
    batches = Minibatches(
        columns_of(data, a=clipped(data), r=shaped_rewards(options, data)[:, None]),
        options.rows, options.seed)

    def step():
        nonlocal agent
        s, a, r, d, s_next = batches.next()
        # The draws of update_actor, which splits the key once more for dropout.
        key, rng = jax.random.split(agent.rng, 2)
        time = jax.random.randint(key, (len(a),), 0, agent.T)
        key, rng = jax.random.split(rng, 2)
        noise = jax.random.normal(key, a.shape)
        agent, info = agent.update({"observations": s, "actions": a, "rewards": r[:, 0],
                                    "masks": 1 - d[:, 0], "next_observations": s_next})
        assert (agent.rng == jax.random.split(rng, 2)[1]).all(), "draws out of step"
        draws = {"draw.time": np.asarray(time, np.float32)[:, None], "draw.normal": np.asarray(noise)[None]}
        return batches.drawn | draws, {
            "loss_behavior": info["actor_loss"], "loss_v": info["value_loss"],
            "loss_q": info["critic_loss"]}

    def numbers():
        found = {}
        states = data["observations"].shape[1]
        for place in ("score_model", "target_score_model"):
            found |= noise_model(place, getattr(agent, place).params)
        for place in ("critic", "target_critic"):
            heads = jax.tree_util.tree_map(np.asarray, getattr(agent, place).params)
            (heads,) = heads.values()
            for head in range(2):
                each = jax.tree_util.tree_map(lambda leaf: leaf[head], heads)
                layers = dense(f"{place}.q{head + 1}", {**each["MLP_0"], "Dense_2": each["Dense_0"]})
                # State, action in the official code; action, state here.
                first = f"{place}.q{head + 1}.0.weight"
                layers[first] = np.roll(layers[first], -states, axis=1)
                found |= layers
        value = dict(agent.value.params["MLP_0"])
        found |= norm("value.norm", value.pop("LayerNorm_0"))
        return found | dense("value.net", {**value, "Dense_2": agent.value.params["OutputVDense"]})

    return step, numbers


def norm(prefix, layer):
    return {f"{prefix}.weight": np.asarray(layer["scale"]), f"{prefix}.bias": np.asarray(layer["bias"])}


def noise_model(prefix, params):
    linear = lambda name, layer: {f"{prefix}.{name}.weight": np.asarray(layer["kernel"]).T,
                                  f"{prefix}.{name}.bias": np.asarray(layer["bias"])}
    found = {f"{prefix}.embed.0.W": np.asarray(params["FourierFeatures_0"]["kernel"])[:, 0]}
    for i in range(2):
        found |= linear(f"cond_model.{2 * i}", params["MLP_0"][f"Dense_{i}"])
    # Cosines, sines in the official code; sines, cosines here.
    first = f"{prefix}.cond_model.0.weight"
    found[first] = np.roll(found[first], found[first].shape[1] // 2, axis=1)
    main = params["MLPResNet_0"]
    found |= linear("main.fc", main["Dense_0"]) | linear("main.out_fc", main["Dense_1"])
    for i in range(BLOCKS):
        block = main[f"MLPResNetBlock_{i}"]
        found |= norm(f"{prefix}.main.blocks.{i}.layer_norm", block["LayerNorm_0"])
        found |= linear(f"main.blocks.{i}.fc1", block["Dense_0"])
        found |= linear(f"main.blocks.{i}.fc2", block["Dense_1"])
    return found


class Srpo:
    """The official stages of SRPO, on recorded minibatches."""

    def __init__(self, options, data):
        import torch
        from official_srpo import official_modules

        self.options, self.torch, self.kept = options, torch, {}
        options.width = WIDTH
        self.dtype = torch.float64 if options.float64 else torch.float32
        self.official, _, utils = official_modules(options, data)
        self.schedule = lambda t: utils.marginal_prob_std(t, device="cpu", beta_1=20.0)
        torch.manual_seed(options.seed)
        maze = "maze" in options.task
        self.args = argparse.Namespace(
            env=options.task, device="cpu", q_layer=2, actor_blocks=BLOCKS, n_policy_epochs=1,
            policy_layer=options.values["policy_layers"], beta=options.values["beta"],
            regq=int(maze), WT="VDSnoise")
        actions = data["actions"].shape[1]
        self.sizes = data["observations"].shape[1] + actions, actions
        self.batches = Minibatches(columns_of(data), options.rows, options.seed)

    def batch(self):
        names = "s", "a", "r", "d", "s_"
        columns = (self.torch.from_numpy(column).to(self.dtype) for column in self.batches.next())
        return dict(zip(names, columns))

    def critic(self):
        agent = self.official.SRPO_IQL(*self.sizes, self.args).to(self.dtype)
        agent.q[0].to(self.dtype)
        agent.deter_policy_lr_scheduler.T_max = self.options.steps
        critic = agent.q[0]

        def step():
            agent.update_iql(self.batch())
            return self.batches.drawn, {
                "loss_v": critic.v_loss, "loss_q": critic.q_loss, "loss_awr": agent.policy_loss}

        modules = {"q0": critic.q0, "q0_target": critic.q0_target, "vf": critic.vf,
                   "policy": agent.deter_policy}
        return step, lambda: torch_numbers(modules)

    def behavior(self):
        agent = self.official.SRPO_Behavior(*self.sizes, self.schedule, self.args).to(self.dtype)
        self._keep_draws(low=1e-3, high=1.0)

        def step():
            agent.update_behavior(self.batch())
            return self.batches.drawn | self._take_draws(), {"loss": agent.loss}

        return step, lambda: torch_numbers({"diffusion": agent.diffusion_behavior})

    def policy(self):
        stages = self.official.SRPO(*self.sizes, self.schedule, self.args).to(self.dtype)
        stages.q[0].to(self.dtype)
        for part, (step, numbers) in {"critic": self.critic(), "behavior": self.behavior()}.items():
            for _ in range(self.options.steps):
                step()
            module = stages.q[0] if part == "critic" else stages.diffusion_behavior
            prefix = "" if part == "critic" else "diffusion."
            found = {name.removeprefix(prefix): self.torch.from_numpy(values)
                     for name, values in numbers().items() if not name.startswith("policy.")}
            for name, parameter in module.named_parameters():
                parameter.data.copy_(found[name])
        stages.SRPO_policy_lr_scheduler.T_max = self.options.steps
        self._keep_draws(low=0.02, high=0.98)

        def step():
            stages.update_SRPO_policy(self.batch())
            return self.batches.drawn | self._take_draws(), {"q_mean": stages.SRPO_policy.q}

        modules = {"policy": stages.SRPO_policy, "q0_target": stages.q[0].q0_target,
                   "diffusion": stages.diffusion_behavior}
        return step, lambda: torch_numbers(modules)

    def _keep_draws(self, low, high):
        """Keeps the times, the noise and the dropout masks that a stage draws."""
        torch = self.torch

        def rand(*size, **options):
            drawn = torch.empty(*size, **options).uniform_()
            self.kept["draw.time"] = (drawn * (high - low) + low).numpy()[:, None]
            return drawn.to(self.dtype)

        def randn_like(like):
            self.kept["draw.normal"] = drawn = torch.empty_like(like).normal_()
            return drawn

        def dropout(x, p, training, _):
            if not training:
                return x
            block = sum(name.startswith("draw.keep") for name in self.kept)
            self.kept[f"draw.keep{block}"] = keep = (torch.empty_like(x).uniform_() >= p).float()
            return x * keep / (1 - p)

        torch.rand, torch.randn_like, torch.nn.functional.dropout = rand, randn_like, dropout

    def _take_draws(self):
        taken = {name: np.array(value, np.float32) for name, value in self.kept.items()}
        self.kept.clear()
        return taken


ALGORITHMS = {"srpo-critic": lambda *given: Srpo(*given).critic(),
              "srpo-behavior": lambda *given: Srpo(*given).behavior(),
              "srpo-policy": lambda *given: Srpo(*given).policy(),
              "td3-bc": td3_bc, "diffusion-ql": diffusion_ql, "iql": iql, "idql": idql}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("algorithm", choices=ALGORITHMS)
    parser.add_argument("clone")
    parser.add_argument("data")
    parser.add_argument("out")
    parser.add_argument("--task", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--rows", type=int, default=64, help="per minibatch")
    parser.add_argument("--float64", action="store_true", help="compute in float64 (srpo, iql)")
    options = parser.parse_args()
    if options.float64 and not options.algorithm.startswith(("srpo", "iql")):
        parser.error("--float64 is only available for srpo and iql")
    options.values = MAZE if options.task.startswith("maze2d") else LOCOMOTION
    kept = {}
    with tempfile.TemporaryDirectory() as options.folder:
        step, numbers = ALGORITHMS[options.algorithm](options, read_data(options.data))
        results = {f"init.{name}": values for name, values in numbers().items()}
        for _ in range(options.steps):
            inputs, losses = step()
            for name, value in inputs.items():
                kept.setdefault(name, []).append(value)
            for name, value in losses.items():
                kept.setdefault(f"loss.{name}", []).append(float(value))
        results |= {f"after.{name}": values for name, values in numbers().items()}
    results |= {name: np.stack(values) for name, values in kept.items()}
    save_file(
        {name: np.ascontiguousarray(values, np.float32) for name, values in results.items()},
        options.out, {"algorithm": options.algorithm, "task": options.task,
                      "steps": str(options.steps), "rows": str(options.rows)})


if __name__ == "__main__":
    main()
