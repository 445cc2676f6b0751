"""Plays episodes on a server of this project's environment bridge (docs/bridge.md)."""

import json

import numpy as np
from websockets.sync.client import connect

HEADER = np.dtype([("kind", "u1"), ("zeros", "u1", 3), ("id", "<u4"), ("n", "<u4"), ("zero", "<u4")])
RESET, STEP = 1, 2
ANSWER = 128
# The seeds of the episodes that `eval` plays with --seed 0 (lib/envs/seeds.ts).
FIRST_EPISODE_SEED = 10_000_000_000


class Environments:
    """A batch of environments on a server."""

    def __init__(self, socket, environment, count):
        self.socket = socket
        self.socket.send(json.dumps(
            {"type": "hello", "protocol": 1, "environment": environment, "count": count}))
        self.spec = json.loads(self.socket.recv())
        if self.spec["type"] != "welcome":
            raise SystemExit(f"{environment}: {self.spec['message']}")
        self.requests = 0

    def _ask(self, kind, places, values):
        self.requests += 1
        header = np.zeros((), HEADER)
        header["kind"], header["id"], header["n"] = kind, self.requests, len(places)
        self.socket.send(header.tobytes() + values.tobytes() + places.astype("<u4").tobytes())
        answer = self.socket.recv()
        if isinstance(answer, str) or answer[0] != kind + ANSWER:
            raise SystemExit(f"the server refused a request: {answer}")
        return answer[HEADER.itemsize:]

    def reset(self, places, seeds):
        """Starts episodes; observations [n, obs]."""
        answer = self._ask(RESET, places, np.asarray(seeds, "<u8"))
        return np.frombuffer(answer, "<f8").reshape(len(places), -1)

    def step(self, places, actions):
        """Steps the environments; observations [n, obs], rewards [n], ended [n]."""
        n, size = len(places), self.spec["observationSize"]
        answer = self._ask(STEP, places, np.asarray(actions, "<f8"))
        numbers = np.frombuffer(answer, "<f8", n * (size + 1))
        flags = np.frombuffer(answer, "u1", 2 * n, offset=8 * n * (size + 1))
        ended = flags[:n] + flags[n:] > 0
        return numbers[: n * size].reshape(n, size), numbers[n * size:], ended


def returns_of(url, environment, episodes, act):
    """Returns of episodes that are played side by side; `act` maps [n, obs] to [n, act]."""
    with connect(url, max_size=None, compression=None) as socket:
        environments = Environments(socket, environment, episodes)
        running = np.arange(episodes)
        observations = environments.reset(running, FIRST_EPISODE_SEED + running)
        returns = np.zeros(episodes)
        while len(running):
            actions = np.clip(act(observations.astype(np.float32)), -1, 1)
            observations, rewards, ended = environments.step(running, actions)
            returns[running] += rewards
            observations, running = observations[~ended], running[~ended]
    return returns, environments.spec["referenceReturn"]
