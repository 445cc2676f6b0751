"""Decodes and validates the requests of the environment bridge (docs/bridge.md)."""

import json
import re

import numpy as np

PROTOCOL_VERSION = 1
MAX_REQUEST_BYTES = 1 << 20
MAX_ANSWER_BYTES = 16 << 20
MAX_BATCH = 128
MAX_ENVIRONMENTS = 256
MAX_CONNECTIONS = 256
MAX_UNANSWERED = 16
MAX_FRAGMENTS = 256  # per message
HELLO_TIMEOUT = 10  # seconds
IDLE_TIMEOUT = 120  # seconds
CLOSE_TIMEOUT = 1  # seconds

HEADER = np.dtype([("kind", "u1"), ("zeros", "u1", 3), ("id", "<u4"), ("n", "<u4"), ("zero", "<u4")])
KINDS = {1: "reset", 2: "step", 3: "state", 4: "resetTo"}
ANSWER_BIT = 0x80
MAX_SEED = 2**53 - 1
KIND_CODES = {name: code for code, name in KINDS.items()}


class Refusal(Exception):
    """A refused message."""

    def __init__(self, code, message, request=None, environment=None):
        super().__init__(message)
        self.code, self.request, self.environment = code, request, environment

    def encode(self):
        return json.dumps(
            {
                "type": "error",
                "request": self.request,
                "code": self.code,
                "message": str(self),
                "environment": self.environment,
            }
        )


def decode_hello(message):
    """Returns the environment id and the count in a client's first message."""

    def malformed(text):
        return Refusal("malformed", f"hello: {text}")

    if not isinstance(message, str):
        raise malformed("expected a text message, got a binary one")
    try:
        hello = json.loads(message)
    except (ValueError, RecursionError):
        raise malformed(f"expected JSON, got {quote(message)}") from None
    if not isinstance(hello, dict):
        raise malformed(f"expected a JSON object, got {quote(hello)}")
    if hello.get("type") != "hello":
        raise malformed(f'type must be "hello", got {quote(hello.get("type"))}')
    version = hello.get("protocol")
    if not is_count(version) or version != PROTOCOL_VERSION:
        raise Refusal(
            "version",
            f"the server uses version {PROTOCOL_VERSION} of the bridge protocol and the client uses "
            f"version {quote(version)}; use the same release on both sides",
        )
    surplus = [key for key in hello if key not in ("type", "protocol", "environment", "count")]
    if surplus:
        raise malformed(f"unknown field {quote(surplus[0])}")
    environment, count = hello.get("environment"), hello.get("count")
    # No colon: with "module:Id" a client could make Gymnasium import any module.
    if not isinstance(environment, str) or not re.fullmatch(
        r"\w[\w./-]{0,127}", environment, re.ASCII
    ):
        raise malformed(
            "environment must be an id of at most 128 letters, digits and _ - . /, "
            f"got {quote(environment)}"
        )
    if not is_count(count):
        raise malformed(f"count must be a whole number of at least 1, got {quote(count)}")
    if count > MAX_BATCH:
        raise Refusal(
            "limit",
            f"one connection may hold at most {MAX_BATCH} environments, got a request for {count}",
        )
    return environment, int(count)


def is_count(value):
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and 0 < value <= MAX_SEED and value == int(value)


def quote(value):
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:80] + "…"


def decode_request(frame, batch):
    """Validates a request and returns its kind, id, environment indices and values."""
    if len(frame) < HEADER.itemsize:
        raise Refusal(
            "malformed",
            f"a frame must begin with a header of {HEADER.itemsize} bytes, got {len(frame)} bytes in total",
        )
    header = np.frombuffer(frame, HEADER, 1)[0]
    request, n = int(header["id"]), int(header["n"])

    def refusal(message, code="malformed", environment=None):
        return Refusal(code, message, request, environment)

    kind = KINDS.get(int(header["kind"]))
    if kind is None:
        raise refusal(f"unknown kind {header['kind']}")
    if header["zeros"].any() or header["zero"]:
        raise refusal(f"{kind}: bytes 1 to 3 and 12 to 15 of the header must be 0")
    if kind in ("state", "resetTo") and batch.state_size is None:
        raise refusal("this environment has no simulator state", "unsupported")
    if not 1 <= n <= len(batch):
        raise refusal(f"{kind}: the request is for {n} environments, but the batch has {len(batch)}")
    widths = {
        "reset": [1],
        "step": [batch.action_size],
        "state": [],
        "resetTo": list(batch.state_size or ()),
    }[kind]
    expected = HEADER.itemsize + n * (8 * sum(widths) + 4)
    if len(frame) != expected:
        raise refusal(f"{kind} of {n} environments must have {expected} bytes, got {len(frame)}")
    indices = np.frombuffer(frame, "<u4", n, expected - 4 * n).astype(np.int64)
    if indices.max() >= len(batch):
        raise refusal(
            f"{kind}: there is no environment {indices[indices >= len(batch)][0]}; "
            f"the batch has {len(batch)}"
        )
    if len(set(indices.tolist())) != n:
        raise refusal(f"{kind}: an environment is listed twice")
    if kind == "reset":
        seeds = np.frombuffer(frame, "<u8", n, HEADER.itemsize)
        if seeds.max() > MAX_SEED:
            index = indices[seeds > MAX_SEED][0]
            raise refusal(f"reset: the seed of environment {index} is above 2^53 - 1")
        return kind, request, indices, [seeds]

    values, offset = [], HEADER.itemsize
    names = ["the action"] if kind == "step" else ["the position", "the velocity"]
    for name, width in zip(names, widths):
        block = np.frombuffer(frame, "<f8", n * width, offset).reshape(n, width)
        offset += block.nbytes
        bad = np.argwhere(~np.isfinite(block))
        if len(bad):
            row, entry = bad[0]
            environment = int(indices[row])
            raise refusal(
                f"{name} of environment {environment} has {block[row, entry]} in entry {entry}; "
                "every entry must be finite",
                "not-finite",
                environment,
            )
        values.append(block)
    return kind, request, indices, values


def check_sizes(batch):
    """Refuses a batch whose frames exceed the message limits."""
    state = sum(batch.state_size or (0, 0))
    request = HEADER.itemsize + len(batch) * (8 * max(batch.action_size, state, 1) + 4)
    answer = HEADER.itemsize + len(batch) * max(8 * (batch.observation_size + 1) + 2, 8 * state)
    if request > MAX_REQUEST_BYTES or answer > MAX_ANSWER_BYTES:
        raise Refusal(
            "limit",
            f"{len(batch)} environments with {batch.observation_size} observations and "
            f"{batch.action_size} actions need messages of {request} and {answer} bytes; "
            f"the limits are {MAX_REQUEST_BYTES} and {MAX_ANSWER_BYTES}; "
            "request fewer environments",
        )
