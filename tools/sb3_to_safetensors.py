"""Converts a Stable-Baselines3 agent to an actor file for `eval`.

    python3 tools/sb3_to_safetensors.py AGENT.zip ACTOR.safetensors

Reads the zip of a saved SAC, TQC, TD3, DDPG, PPO, TRPO, A2C or ARS (linear policy) agent, and the
pickle with the observations' running mean and variance. Copies the actor's weights byte for byte to
the tensors described in docs/policies.md, and writes the other properties to the metadata.

Executes nothing in the files. The unpickler imports nothing: each class or function named in a
pickle becomes an inert placeholder, which only stores its arguments.
Needs Python 3.11 or newer and no packages.
"""

import argparse
import io
import json
import math
import pickle
import re
import struct
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

# Maximum size of a zip member. The largest published agents have a few megabytes.
MAX_MEMBER_BYTES = 1 << 30


class Refused(Exception):
    """A file that cannot be converted, with a message for the user."""


def refuse(message: str) -> NoReturn:
    raise Refused(message)


# Pickles ---------------------------------------------------------------------------------------


class Inert:
    """A placeholder for any object in a pickle: stores arguments, state and items, and does nothing."""

    of = ""

    def __new__(cls, *arguments: object) -> "Inert":
        self = object.__new__(cls)
        self.arguments = arguments
        self.state = None
        self.items = {}
        return self

    def __init__(self, *_arguments: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        self.state = state

    def __setitem__(self, key: object, value: object) -> None:
        self.items[key] = value


class InertUnpickler(pickle.Unpickler):
    """Imports nothing and calls only Inert: every name becomes a subclass of Inert."""

    def find_class(self, module: str, name: str) -> type:
        return type(name, (Inert,), {"of": f"{module}.{name}"})

    def persistent_load(self, pid: object) -> object:
        return pid


def unpickle(pickled: bytes, source: str) -> object:
    try:
        return InertUnpickler(io.BytesIO(pickled)).load()
    except Exception as error:
        refuse(f"{source}: not a readable pickle: {error!r}")


# Tensors ---------------------------------------------------------------------------------------


@dataclass
class Tensor:
    """Row-major little-endian numbers, as stored in safetensors."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


# Bytes per number, by safetensors dtype.
ITEM_BYTES = {"F32": 4, "F64": 8}
STORAGES = {"torch.FloatStorage": "F32", "torch.DoubleStorage": "F64"}


def read_member(archive: zipfile.ZipFile, name: str, source: str) -> bytes:
    try:
        size = archive.getinfo(name).file_size
        if size > MAX_MEMBER_BYTES:
            refuse(f"{source}: {name} has {size} bytes, but at most {MAX_MEMBER_BYTES} are allowed")
        return archive.read(name)
    except (KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        refuse(f"{source}: cannot read {name}: {error}")


def open_zip(file: Path | io.BytesIO, source: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (OSError, zipfile.BadZipFile) as error:
        refuse(f"{source}: not a readable zip: {error}")


def read_state_dict(pth: bytes, source: str) -> dict[str, Tensor]:
    """Returns the tensors of a file written by torch.save (a zip since PyTorch 1.6)."""
    with open_zip(io.BytesIO(pth), source) as archive:
        roots = [name.removesuffix("data.pkl") for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(roots) != 1:
            refuse(f"{source}: expected one data.pkl, found {len(roots)}")
        root = roots[0]
        order = f"{root}byteorder"
        if order in archive.namelist() and read_member(archive, order, source) != b"little":
            refuse(f"{source}: expected little-endian numbers")
        state = unpickle(read_member(archive, f"{root}data.pkl", source), source)
        if not isinstance(state, Inert) or state.of != "collections.OrderedDict":
            refuse(f"{source}: expected a state dict (an OrderedDict)")
        storages: dict[str, bytes] = {}

        def storage(key: str) -> bytes:
            if key not in storages:
                storages[key] = read_member(archive, f"{root}data/{key}", source)
            return storages[key]

        return {name: rebuild(name, value, storage, source) for name, value in state.items.items()}


def rebuild(name: str, value: object, storage, source: str) -> Tensor:
    """Returns the tensor that torch._utils._rebuild_tensor_v2 would return for its arguments."""
    match value:
        case Inert(
            of="torch._utils._rebuild_tensor_v2",
            arguments=(
                ("storage", type() as kind, str(key), str(), int()),
                int(offset),
                tuple(shape),
                tuple(strides),
                *_,
            ),
        ) if getattr(kind, "of", None) in STORAGES and all(
            isinstance(n, int) and n >= 0 for n in (offset, *shape, *strides)
        ) and len(shape) == len(strides):
            pass
        case _:
            kinds = " or ".join(STORAGES)
            refuse(f"{source}: {name} is not a tensor of a {kinds}")
    dtype = STORAGES[kind.of]
    size = ITEM_BYTES[dtype]
    data = storage(key)
    count = math.prod(shape)
    last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides)) if count else -1
    if max(last + 1, count) * size > len(data):
        refuse(f"{source}: {name} extends past the {len(data)} bytes of its storage")
    places = [offset] if count else []
    for n, stride in zip(shape, strides):
        places = [place + i * stride for place in places for i in range(n)]
    return Tensor(dtype, shape, b"".join(data[p * size : (p + 1) * size] for p in places))


# Agents ----------------------------------------------------------------------------------------


@dataclass
class Layout:
    """Where a policy class stores its actor, and how it uses it."""

    # Linear layers, or a torch.nn.Sequential of them, in the order of computation.
    actor: tuple[str, ...]
    # Tensors that do not affect the deterministic action.
    left_out: tuple[str, ...]
    activation: str
    output: str


SOFT_ACTOR = Layout(
    ("actor.latent_pi", "actor.mu"),
    ("actor.log_std.", "critic.", "critic_target."),
    "relu",
    "tanh",
)
# Layouts by the module of the policy class. BasePolicy.predict clips the actions of policies that do
# not squash them.
LAYOUTS = {
    "stable_baselines3.common.policies": Layout(
        ("mlp_extractor.policy_net", "action_net"),
        ("log_std", "mlp_extractor.value_net.", "value_net."),
        "tanh",
        "clip",
    ),
    "stable_baselines3.sac.policies": SOFT_ACTOR,
    "sb3_contrib.tqc.policies": SOFT_ACTOR,
    "stable_baselines3.td3.policies": Layout(
        ("actor.mu",), ("actor_target.", "critic.", "critic_target."), "relu", "tanh"
    ),
    "sb3_contrib.ars.policies": Layout(("action_net",), (), "relu", "clip"),
}
ACTIVATIONS = {
    "<class 'torch.nn.modules.activation.ReLU'>": "relu",
    "<class 'torch.nn.modules.activation.Tanh'>": "tanh",
}
# Keyword arguments of a policy that do not change what its actor computes with given weights.
HARMLESS_KWARGS = {
    "log_std_init",
    "n_critics",
    "n_quantiles",
    "net_arch",
    "optimizer_class",
    "optimizer_kwargs",
    "ortho_init",
    "share_features_extractor",
}


@dataclass
class Agent:
    """An actor in the format of docs/policies.md."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]
    left_out: list[str]


def read_agent(path: Path) -> Agent:
    source = str(path)
    with open_zip(path, source) as archive:
        try:
            data = json.loads(read_member(archive, "data", source))
            module = data["policy_class"]["__module__"]
            kwargs = {k: v for k, v in data["policy_kwargs"].items() if not k.startswith(":")}
            actions = data["action_space"]
            bounds = [[float(x) for x in re.findall(r"[^\s\[\]]+", actions[k])] for k in ("low", "high")]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            refuse(f"{source}: its member data does not describe an agent as expected: {error!r}")
        version = read_member(archive, "_stable_baselines3_version", source).decode(errors="replace").strip()
        state = read_state_dict(read_member(archive, "policy.pth", source), f"{source}: policy.pth")

    layout = LAYOUTS.get(module)
    if layout is None:
        refuse(f"{source}: its policy class is from {module}; supported modules: {', '.join(LAYOUTS)}")
    if bounds[0] != [-1.0] * len(bounds[0]) or bounds[1] != [1.0] * len(bounds[1]):
        refuse(f"{source}: its actions range from {bounds[0]} to {bounds[1]}, expected -1 to 1")
    if data.get("use_sde") or kwargs.pop("use_sde", False):
        refuse(f"{source}: state-dependent exploration is not supported")
    activation = layout.activation
    if "activation_fn" in kwargs:
        named = kwargs.pop("activation_fn")
        activation = ACTIVATIONS.get(named) or refuse(
            f"{source}: its activation is {named}, expected torch.nn ReLU or Tanh"
        )
    if unknown := sorted(kwargs.keys() - HARMLESS_KWARGS):
        refuse(f"{source}: its policy_kwargs {', '.join(unknown)} are not supported")

    names = [name for prefix in layout.actor for name in layers(state, prefix, source)]
    if module == "sb3_contrib.ars.policies" and names != ["action_net"]:
        refuse(f"{source}: for ARS, only the linear policy is supported")
    tensors: dict[str, Tensor] = {}
    biases = 0
    for i, name in enumerate(names):
        tensors[f"net.{2 * i}.weight"] = state.pop(f"{name}.weight")
        if f"{name}.bias" in state:
            biases += 1
            tensors[f"net.{2 * i}.bias"] = state.pop(f"{name}.bias")
    if biases not in (0, len(names)):
        refuse(f"{source}: {biases} of its {len(names)} layers have a bias, expected all or none")
    if stray := sorted(name for name in state if not name.startswith(layout.left_out)):
        refuse(f"{source}: unknown tensors: {', '.join(stray)}")
    if tensors[f"net.{2 * len(names) - 2}.weight"].shape[0] != len(bounds[0]):
        refuse(
            f"{source}: its actions have {len(bounds[0])} entries, but its last layer has another "
            "number of outputs"
        )
    metadata = {
        "activation": activation,
        "output": layout.output,
        "bias": "all" if biases else "none",
        "source": f"Stable-Baselines3 {version}, {module}",
    }
    return Agent(tensors, metadata, sorted(state))


def layers(state: dict[str, Tensor], prefix: str, source: str) -> list[str]:
    """Returns the linear layers of a name: itself, or 0, 2, … of a Sequential with activations."""
    if f"{prefix}.weight" in state:
        return [prefix]
    found = []
    while f"{prefix}.{2 * len(found)}.weight" in state:
        found.append(f"{prefix}.{2 * len(found)}")
    return found or refuse(f"{source}: policy.pth has no {prefix}.weight and no {prefix}.0.weight")


def add_normalization(agent: Agent, path: Path) -> None:
    """Adds the running mean and variance of a pickled VecNormalize, if it normalizes observations."""
    source = str(path)
    try:
        pickled = path.read_bytes()
    except OSError as error:
        refuse(f"cannot read {source}: {error}")
    wrapper = unpickle(pickled, source)
    try:
        state = wrapper.state
        if state["norm_obs"] is False:
            return
        statistics = state["obs_rms"].state
        clip, epsilon = float(state["clip_obs"]), float(state["epsilon"])
        agent.tensors["obs_rms.mean"] = array(statistics["mean"])
        agent.tensors["obs_rms.var"] = array(statistics["var"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        refuse(f"{source}: not a VecNormalize with float64 observation statistics: {error!r}")
    inputs = agent.tensors["net.0.weight"].shape[1]
    for name in ("obs_rms.mean", "obs_rms.var"):
        if agent.tensors[name].shape != (inputs,):
            shape = agent.tensors[name].shape
            refuse(f"{source}: {name} has shape {shape}, but the actor takes {inputs} entries")
    agent.metadata |= {"obs_clip": repr(clip), "obs_epsilon": repr(epsilon)}


def array(value: object) -> Tensor:
    """Returns the float64 vector of a pickled numpy array."""
    match value:
        case Inert(
            of="numpy.core.multiarray._reconstruct" | "numpy._core.multiarray._reconstruct",
            state=(_, (int(n),), Inert(arguments=("f8", *_), state=(_, "<", *_)), _, bytes(data)),
        ) if len(data) == 8 * n:
            return Tensor("F64", (n,), data)
    raise ValueError("expected a vector of little-endian float64")


# Files -----------------------------------------------------------------------------------------


def safetensors(tensors: dict[str, Tensor], metadata: dict[str, str]) -> bytes:
    # Larger items first, so that every tensor is aligned.
    ordered = sorted(tensors.items(), key=lambda item: -ITEM_BYTES[item[1].dtype])
    header: dict[str, object] = {"__metadata__": metadata}
    end = 0
    for name, tensor in ordered:
        begin, end = end, end + len(tensor.data)
        header[name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(tensor.data for _, tensor in ordered)


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Converts a Stable-Baselines3 agent to an actor file for `eval`.",
        epilog="Executes nothing in these files and changes no weights; see docs/policies.md.",
    )
    parser.add_argument("agent", type=Path, help="zip file of the saved agent")
    parser.add_argument("actor", type=Path, help="safetensors file to write; must not exist")
    normalization = parser.add_mutually_exclusive_group()
    normalization.add_argument(
        "--vecnormalize",
        type=Path,
        metavar="FILE",
        help="the agent's saved VecNormalize; defaults to <agent>/vecnormalize.pkl next to the zip, "
        "where rl-baselines3-zoo saves it",
    )
    normalization.add_argument(
        "--no-vecnormalize", action="store_true", help="the agent was trained without VecNormalize"
    )
    arguments = parser.parse_args()
    beside = arguments.agent.with_suffix("") / "vecnormalize.pkl"
    statistics = None if arguments.no_vecnormalize else arguments.vecnormalize or beside
    try:
        agent = read_agent(arguments.agent)
        if statistics is beside and not beside.exists():
            refuse(
                f"{arguments.agent} does not state whether its observations are normalized, and "
                f"{beside} does not exist: give --vecnormalize FILE, or --no-vecnormalize"
            )
        if statistics is not None:
            add_normalization(agent, statistics)
        contents = safetensors(agent.tensors, agent.metadata)
        try:
            with arguments.actor.open("xb") as file:
                file.write(contents)
        except OSError as error:
            refuse(f"cannot write {arguments.actor}: {error.strerror}")
    except Refused as error:
        sys.exit(f"sb3_to_safetensors: {error}")
    for name, tensor in agent.tensors.items():
        print(f"{name}  {tensor.dtype} {list(tensor.shape)}")
    for key, value in agent.metadata.items():
        print(f"{key}: {value}")
    if "obs_clip" in agent.metadata:
        print(f"observation normalization: from {statistics}")
    else:
        print("observation normalization: none")
    if agent.left_out:
        print(f"omitted: {', '.join(agent.left_out)}")


if __name__ == "__main__":
    main()
