"""Batches of Gymnasium or gym 0.2x environments with one interface.

In Gymnasium, step returns five values and reset two. In gym up to 0.25, for which D4RL's environments
are written, step returns four values and reset one.
"""

import difflib
import importlib
import importlib.metadata
import importlib.util
import platform
import sys
import threading

import numpy as np


def make(environment_id, count):
    """Returns a batch of `count` environments of one kind. Raises ValueError if the id is unknown."""
    api, known = find_api(environment_id)
    if api is None:
        near = ", ".join(nearest(environment_id, known))
        raise ValueError(
            f'no environment is called "{environment_id}"'
            + (f"; the nearest are {near}" if near else "")
            + "; to add the environments that a module registers, start the server with --import MODULE"
        )
    return Batch(api, environment_id, count)


def nearest(environment_id, known):
    """Returns up to three similar ids that can be created. Many ids need packages that are missing."""
    spelled = {each.lower(): each for each in known}
    found = []
    for near in difflib.get_close_matches(environment_id.lower(), spelled, 12):
        try:
            batch = Batch(find_api(spelled[near])[0], spelled[near], 1)
        except Exception:
            continue
        batch.close()
        found.append(spelled[near])
        if len(found) == 3:
            break
    return found


# Packages that register environments with an API when they are imported.
REGISTRARS = {"gymnasium": ["gymnasium_robotics", "ogbench"], "gym": ["d4rl"]}


def find_api(environment_id):
    """Returns the installed package that knows the id (Gymnasium first), and all known ids."""
    known = []
    for name, packages in REGISTRARS.items():
        if importlib.util.find_spec(name) is None:
            continue
        api = importlib.import_module(name)
        if environment_id in registered(api):
            return api, registered(api)
        for package in packages:
            if importlib.util.find_spec(package) is not None:
                importlib.import_module(package)
        if environment_id in registered(api):
            return api, registered(api)
        known += registered(api)
    return None, known


def registered(api):
    """Returns the ids that are registered with Gymnasium or gym."""
    registry = api.envs.registry if api.__name__ == "gym" else api.registry
    # Up to gym 0.24 the registry is not a dict but an object with a dict.
    return list(getattr(registry, "env_specs", registry))


class Complaints(threading.local):
    """Collects MuJoCo's warnings per thread. By default MuJoCo writes them to a file.

    When a state diverges, MuJoCo resets it, warns and continues. The client must get an error.
    """

    def __init__(self):
        self.heard = []

    def listen(self):
        if "mujoco" in sys.modules:
            sys.modules["mujoco"].set_mju_user_warning(lambda text: self.heard.append(text))

    def raise_any(self, index):
        if self.heard:
            text = self.heard[0]
            self.heard.clear()
            raise RuntimeError(f"environment {index}: MuJoCo warns: {text}")


complaints = Complaints()


class Batch:
    """Environments of one kind. Arguments and results are arrays with one row per environment."""

    def __init__(self, api, environment_id, count):
        self.api = api
        self.environments = []
        try:
            for _ in range(count):
                self.environments.append(make_one(api, environment_id))
            self.describe(self.environments[0])
            complaints.listen()
        except Exception:
            self.close()
            raise

    def describe(self, environment):
        """Reads the sizes and builds the fields of the welcome."""
        space, inner = environment.action_space, environment.unwrapped
        if not isinstance(space, self.api.spaces.Box):
            raise ValueError(f"its action space must be a Box, got {space}")
        self.action_shape = space.shape
        self.action_size = int(np.prod(space.shape))
        self.observation_size = int(
            self.api.spaces.flatdim(environment.observation_space)
        )
        data = getattr(inner, "data", None)
        settable = callable(getattr(inner, "set_state", None)) and hasattr(inner, "_get_obs")
        self.state_size = (
            (data.qpos.size, data.qvel.size) if settable and hasattr(data, "qpos") else None
        )
        low, high = (getattr(inner, f"ref_{end}_score", None) for end in ("min", "max"))
        steps = environment.spec.max_episode_steps
        self.spec = {
            "observationSize": self.observation_size,
            "actionSize": self.action_size,
            "actionLow": bounds(space.low),
            "actionHigh": bounds(space.high),
            "maxEpisodeSteps": None if steps is None else int(steps),
            "referenceReturn": None
            if low is None or high is None
            else {"min": float(low), "max": float(high)},
            "versions": versions(self.api.__name__),
        }

    def __len__(self):
        return len(self.environments)

    def close(self):
        for environment in self.environments:
            environment.close()
        self.environments = []

    def reset(self, indices, seeds):
        """Starts an episode from each seed. Returns [observations]."""
        return [
            self.observations(
                self.restart(self.environments[i], int(seed)) for i, seed in zip(indices, seeds)
            )
        ]

    def resetTo(self, indices, qpos, qvel):
        """Starts an episode from each simulator state. Returns [observations]."""
        observations = []
        for k, i in enumerate(indices):
            self.restart(self.environments[i], 0)
            inner = self.environments[i].unwrapped
            inner.set_state(qpos[k], qvel[k])
            complaints.raise_any(i)
            observations.append(inner._get_obs())
        return [self.observations(observations)]

    def step(self, indices, actions):
        """Steps each environment. Returns [observations, rewards, terminated, truncated]."""
        n = len(indices)
        observations, rewards = [], np.empty(n)
        terminated, truncated = np.zeros(n, np.uint8), np.zeros(n, np.uint8)
        for k, i in enumerate(indices):
            # Copied because the frame is read-only and environments may clip in place.
            action = actions[k].reshape(self.action_shape).copy()
            result = self.environments[i].step(action)
            complaints.raise_any(i)
            if len(result) == 5:
                observation, reward, terminated[k], truncated[k], _ = result
            else:
                observation, reward, done, info = result
                truncated[k] = bool(done) and bool(info.get("TimeLimit.truncated", False))
                terminated[k] = bool(done) and not truncated[k]
            # TimeLimit sets both if the last step allowed is terminal. The episode was not cut then.
            truncated[k] = truncated[k] and not terminated[k]
            observations.append(observation)
            rewards[k] = reward
        return [self.observations(observations), rewards, terminated, truncated]

    def state(self, indices):
        """Returns the simulator states: [positions, velocities]."""
        data = [self.environments[i].unwrapped.data for i in indices]
        return [np.array([getattr(d, name) for d in data], "<f8") for name in ("qpos", "qvel")]

    def restart(self, environment, seed):
        if self.api.__name__ == "gymnasium":
            return environment.reset(seed=seed)[0]
        environment.seed(seed)
        result = environment.reset()
        return result[0] if isinstance(result, tuple) else result

    def observations(self, observations):
        """Flattens observations to rows of float64."""
        space = self.environments[0].observation_space
        if not isinstance(space, self.api.spaces.Box):
            observations = (self.api.spaces.flatten(space, each) for each in observations)
        return np.array([np.ravel(each) for each in observations], "<f8")


def make_one(api, environment_id):
    if api.__name__ == "gymnasium":
        # The checker's warnings are irrelevant to the client, and it slows down every step.
        return api.make(environment_id, disable_env_checker=True)
    return api.make(environment_id)


def bounds(values):
    """Returns bounds as JSON values: None where there is no bound."""
    return [float(value) if np.isfinite(value) else None for value in np.ravel(values)]


def versions(api):
    """Returns the versions of Python and of the packages that compute the environments."""
    found = {"python": platform.python_version()}
    for name in (api, "mujoco", "mujoco-py", "d4rl", "numpy", "websockets"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
