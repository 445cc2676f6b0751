"""Serves Gymnasium and gym 0.2x environments over the environment bridge (docs/bridge.md).

    sh bridge/setup.sh && bridge/.venv/bin/python bridge/gym_server.py

The first and only line on standard output is JSON: {"url": "ws://…/?token=…", "protocol": 1}.
"""

import argparse
import asyncio
import concurrent.futures
import hmac
import http
import importlib
import json
import logging
import os
import secrets
import signal
import sys
import threading
import urllib.parse

import numpy as np
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

import gym_batch
from bridge_protocol import (
    ANSWER_BIT,
    CLOSE_TIMEOUT,
    HEADER,
    HELLO_TIMEOUT,
    IDLE_TIMEOUT,
    KIND_CODES,
    MAX_ANSWER_BYTES,
    MAX_CONNECTIONS,
    MAX_ENVIRONMENTS,
    MAX_FRAGMENTS,
    MAX_REQUEST_BYTES,
    MAX_UNANSWERED,
    PROTOCOL_VERSION,
    Refusal,
    check_sizes,
    decode_hello,
    decode_request,
)


class Budget:
    """Number of environments that all connections hold. Locked, because each session has a thread."""

    def __init__(self):
        self.used = 0
        self.lock = threading.Lock()

    def take(self, count):
        with self.lock:
            if self.used + count > MAX_ENVIRONMENTS:
                raise Refusal(
                    "limit",
                    f"this server holds at most {MAX_ENVIRONMENTS} environments, {self.used} are in "
                    f"use, got a request for {count} more; close some, or start another server",
                )
            self.used += count

    def give_back(self, count):
        with self.lock:
            self.used -= count


class Session:
    """One client's environments. Answers the handshake, then each request."""

    def __init__(self, budget):
        self.budget = budget
        self.batch = None
        self.running = None

    def answer(self, message):
        """Returns the answer, and whether the connection stays open after it."""
        try:
            return (self.greet(message) if self.batch is None else self.act(message)), True
        except Refusal as refusal:
            return refusal.encode(), self.batch is not None
        except Exception as error:  # must not affect the other clients
            refusal = Refusal("simulation", f"the server failed: {error!r}")
            return refusal.encode(), self.batch is not None

    def close(self):
        if self.batch is not None:
            batch, self.batch = self.batch, None
            self.budget.give_back(len(batch))
            batch.close()

    def greet(self, message):
        environment, count = decode_hello(message)
        self.budget.take(count)
        batch = None
        try:
            try:
                batch = gym_batch.make(environment, count)
            except Exception as error:
                raise Refusal("environment", str(error)) from error
            check_sizes(batch)
            welcome = json.dumps(
                {
                    "type": "welcome",
                    "protocol": PROTOCOL_VERSION,
                    "environment": environment,
                    "count": count,
                    **batch.spec,
                    "stateSize": batch.state_size
                    and {"qpos": batch.state_size[0], "qvel": batch.state_size[1]},
                },
                allow_nan=False,
            )
        except Exception:
            self.budget.give_back(count)
            if batch is not None:
                batch.close()
            raise
        self.batch, self.running = batch, np.zeros(count, bool)
        return welcome

    def act(self, message):
        if isinstance(message, str):
            raise Refusal("malformed", "requests after the welcome must be binary frames, got text")
        kind, request, indices, values = decode_request(message, self.batch)
        if kind == "step" and not self.running[indices].all():
            waiting = int(indices[~self.running[indices]][0])
            raise Refusal(
                "finished",
                f"environment {waiting} has no episode in progress; reset it first",
                request,
                waiting,
            )
        try:
            blocks = getattr(self.batch, kind)(indices, *values)
        except Exception as error:
            # The environments may have changed only in part, so their episodes end.
            self.running[indices] = False
            raise Refusal("simulation", f"{type(error).__name__}: {error}", request) from error
        if kind in ("reset", "resetTo"):
            self.running[indices] = True
        elif kind == "step":
            self.running[indices] = ~(blocks[2] | blocks[3]).astype(bool)
        header = np.array((KIND_CODES[kind] | ANSWER_BIT, 0, request, len(indices), 0), HEADER)
        return header.tobytes() + b"".join(block.tobytes() for block in blocks)


class Connection(ServerConnection):
    """A connection that ends in time even if the client does not close it or does not read."""

    closing = None

    def data_received(self, data):
        super().data_received(data)
        # After refusing a message, the library discards further data for as long as the client sends it.
        if self.closing is None and self.protocol.close_expected():
            self.closing = self.loop.call_later(CLOSE_TIMEOUT, self.transport.abort)
        # The library sends pongs without waiting for the client to read them.
        if self.transport.get_write_buffer_size() > MAX_ANSWER_BYTES:
            self.transport.abort()


async def receive(connection):
    """Returns the next message. The library limits its bytes but not its number of empty fragments."""
    parts = []
    async for part in connection.recv_streaming():
        parts.append(part)
        if len(parts) > MAX_FRAGMENTS:
            await connection.close(1008, f"a message may have at most {MAX_FRAGMENTS} fragments")
    return type(parts[0])().join(parts)


async def serve_client(connection, budget, connections):
    """Serves one client from its hello until it disconnects. Its environments run in one thread."""
    session = Session(budget)
    loop = asyncio.get_running_loop()
    thread = concurrent.futures.ThreadPoolExecutor(1)
    connections.add(connection)
    try:
        message = await asyncio.wait_for(receive(connection), HELLO_TIMEOUT)
        while True:
            answer, goes_on = await loop.run_in_executor(thread, session.answer, message)
            await connection.send(answer)
            if not goes_on:
                return await connection.close(1008, "the hello was refused")
            message = await receive(connection)
    except TimeoutError:
        await connection.close(1008, "no hello in time")
    except ConnectionClosed:
        pass
    finally:
        connections.discard(connection)
        await loop.run_in_executor(thread, session.close)
        thread.shutdown(wait=False)


async def main(host, port, exit_with_stdin, announce):
    token = secrets.token_hex(24)
    budget, connections = Budget(), set()
    own_origin = None

    def check(connection, request):
        """Decides, before the upgrade, whether a client may connect."""
        origin = request.headers.get("Origin")
        given = urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query).get("token", [""])
        if origin not in (None, own_origin):
            status, text = http.HTTPStatus.FORBIDDEN, "a web page of another origin may not connect"
        elif not hmac.compare_digest(given[0].encode(), token.encode()):
            status, text = http.HTTPStatus.UNAUTHORIZED, "the address must end in the server's ?token=…"
        elif len(connections) >= MAX_CONNECTIONS:
            status, text = http.HTTPStatus.SERVICE_UNAVAILABLE, f"{MAX_CONNECTIONS} connections are open"
        else:
            return None
        return connection.respond(status, text + "\n")

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(name, stop.set)
        except NotImplementedError:  # On Windows, the end of standard input stops the server.
            pass
    if exit_with_stdin:

        def wait_for_end():
            while sys.stdin.buffer.read(4096):
                pass
            loop.call_soon_threadsafe(stop.set)

        threading.Thread(target=wait_for_end, daemon=True).start()

    async with serve(
        lambda connection: serve_client(connection, budget, connections),
        host,
        port,
        process_request=check,
        create_connection=Connection,
        compression=None,
        max_size=MAX_REQUEST_BYTES,
        max_queue=MAX_UNANSWERED,
        ping_timeout=IDLE_TIMEOUT,
        close_timeout=CLOSE_TIMEOUT,
        # Do not log invalid requests: any process can send them.
        logger=logging.getLogger("quiet"),
    ) as server:
        address, bound = server.sockets[0].getsockname()[:2]
        authority = f"[{address}]:{bound}" if ":" in address else f"{address}:{bound}"
        own_origin = f"http://{authority}"
        url = f"ws://{authority}/?token={token}"
        os.write(announce, json.dumps({"url": url, "protocol": PROTOCOL_VERSION}).encode() + b"\n")
        await stop.wait()


if __name__ == "__main__":
    # Only the announcement goes to standard output. Output of the environments goes to standard error.
    stdout = os.dup(1)
    os.dup2(2, 1)
    logging.getLogger("quiet").setLevel(logging.CRITICAL + 1)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: 127.0.0.1); other machines can reach any address but "
        "loopback",
    )
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: 0, a free one)")
    parser.add_argument(
        "--import",
        dest="modules",
        action="append",
        default=[],
        metavar="MODULE",
        help="module that registers more environments; can be repeated",
    )
    parser.add_argument(
        "--exit-with-stdin",
        action="store_true",
        help="stop when standard input ends, so that the server ends with the program that started it",
    )
    arguments = parser.parse_args()
    for module in arguments.modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            sys.exit(f"error: --import {module}: {error}")
    try:
        asyncio.run(main(arguments.host, arguments.port, arguments.exit_with_stdin, stdout))
    except (OSError, OverflowError) as error:
        sys.exit(
            f"error: gym_server.py cannot listen on {arguments.host}, port {arguments.port} "
            f"({error}); choose another --host or --port"
        )
