"""Straightforward PyTorch implementation of SRPO's three training steps, from the method's description.

Nothing here is shared with the engine or taken from other code: it is the independent measure, of time
and of losses, that the engine is held against. Hopper's sizes, the paper's hyperparameters.
"""

import math

import numpy
import torch
from torch import nn
from torch.nn import functional

OBSERVATIONS, ACTIONS, WIDTH = 11, 3, 256
DATA_ROWS = 100_000
SEEDS = {
    "state": 1, "action": 2, "reward": 3, "terminal": 4, "nextState": 5, "time": 6, "noise": 7,
    "keep": 8, "mlp": 100, "q": 200, "v": 400, "policy": 500, "behavior": 600, "frequencies": 700,
}


def samples(seed, *shape):
    """Numbers in [-1, 1), hashed from seed and index, as in support/samples.ts."""
    count = math.prod(shape)
    x = numpy.arange(count, dtype=numpy.uint32)
    with numpy.errstate(over="ignore"):
        x += numpy.uint32(seed * 0x9E3779B9 & 0xFFFFFFFF)
        x = (x ^ (x >> 16)) * numpy.uint32(0x21F0AAAD)
        x = (x ^ (x >> 15)) * numpy.uint32(0x735A2D97)
    x ^= x >> 15
    return torch.from_numpy(((x >> 8) / 2.0**23 - 1).astype(numpy.float32).reshape(shape))


def coins(seed, share, *shape):
    """Zeros and ones, one with probability `share`."""
    return ((samples(seed, *shape) + 1) / 2 < share).float()


def set_samples(network, seed):
    """Sets every linear layer's weight and bias to the sample weights; layer norms stay 1 and 0."""
    parameters = list(network.named_parameters())
    with torch.no_grad():
        for index, (name, parameter) in enumerate(parameters):
            if "norm" not in name:
                if parameter.dim() == 2:
                    inputs = parameter.shape[1]
                parameter.copy_(samples(seed + index, *parameter.shape) / math.sqrt(inputs))
    return network


def perceptron(inputs, outputs, end=()):
    """Two hidden layers with ReLU."""
    return nn.Sequential(
        nn.Linear(inputs, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(),
        nn.Linear(WIDTH, outputs), *end,
    )


class Block(nn.Module):
    """A residual block: dropout, layer norm, and two linear layers around a Mish."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.widen = nn.Linear(WIDTH, 4 * WIDTH)
        self.narrow = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, h, keep):
        branch = h
        if keep is not None:
            branch = functional.dropout(h, 0.1) if keep is True else h * keep / 0.9
        return h + self.narrow(functional.mish(self.widen(self.norm(branch))))


class BehaviorModel(nn.Module):
    """Predicts the noise in a_t from a_t, s and t."""

    def __init__(self):
        super().__init__()
        self.register_buffer("frequencies", 30 * samples(SEEDS["frequencies"], 32))
        self.embed = nn.Sequential(nn.Linear(64, 128), nn.Mish(), nn.Linear(128, 128))
        self.enter = nn.Linear(ACTIONS + OBSERVATIONS + 128, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(3))
        self.leave = nn.Linear(WIDTH, ACTIONS)

    def forward(self, noised, state, t, keeps=(None, None, None)):
        """`keeps`: masks for each block, True to draw them, None for no dropout."""
        phase = 2 * math.pi * t * self.frequencies
        embedding = self.embed(torch.cat([phase.sin(), phase.cos()], -1))
        h = self.enter(torch.cat([noised, state, embedding], -1))
        for block, keep in zip(self.blocks, keeps):
            h = block(h, keep)
        return self.leave(functional.mish(h))


def schedule(t):
    """alpha and sigma of the variance-preserving diffusion."""
    log_alpha = -(t**2) * (20 - 0.1) / 4 - t * 0.1 / 2
    return log_alpha.exp(), (1 - (2 * log_alpha).exp()).sqrt()


def cosine(optimizer, period):
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, period)


class Critic:
    """Implicit Q-learning with its advantage-weighted policy."""

    rows = 256

    def __init__(self, device, compiled):
        def twin():
            heads = [perceptron(ACTIONS + OBSERVATIONS, 1) for _ in range(2)]
            return nn.ModuleList(
                set_samples(head, SEEDS["q"] + 100 * i) for i, head in enumerate(heads)
            ).to(device)

        self.q, self.target = twin(), twin()
        self.v = set_samples(perceptron(OBSERVATIONS, 1), SEEDS["v"]).to(device)
        self.policy = set_samples(
            perceptron(OBSERVATIONS, ACTIONS, [nn.Tanh()]), SEEDS["policy"]
        ).to(device)
        self.q_optimizer = torch.optim.Adam(self.q.parameters(), lr=3e-4)
        self.v_optimizer = torch.optim.Adam(self.v.parameters(), lr=3e-4)
        self.policy_optimizer = torch.optim.Adam(self.policy.parameters(), lr=3e-4)
        self.policy_rate = cosine(self.policy_optimizer, 1_500_000)
        self.v_loss, self.q_loss, self.awr_loss = (
            compiled(loss) for loss in (self.v_loss, self.q_loss, self.awr_loss)
        )

    def lowest_target(self, state, action):
        pair = torch.cat([action, state], -1)
        return torch.min(self.target[0](pair), self.target[1](pair))

    def v_loss(self, state, lowest):
        difference = lowest - self.v(state)
        return ((0.7 - (difference < 0).float()).abs() * difference**2).mean()

    def q_loss(self, state, action, goal):
        pair = torch.cat([action, state], -1)
        return sum(functional.mse_loss(head(pair), goal) for head in self.q) / 2

    def awr_loss(self, state, action, weight):
        return (weight * ((self.policy(state) - action) ** 2).sum(-1, keepdim=True)).mean()

    def step(self, batch, _draws):
        state, action = batch["state"], batch["action"]
        with torch.no_grad():
            lowest = self.lowest_target(state, action)
            next_value = self.v(batch["nextState"])
            goal = batch["reward"] + (1 - batch["terminal"]) * 0.99 * next_value
        v_loss = descend(self.v_loss(state, lowest), self.v_optimizer)
        q_loss = descend(self.q_loss(state, action, goal), self.q_optimizer)
        with torch.no_grad():
            for slow, fast in zip(self.target.parameters(), self.q.parameters()):
                slow.lerp_(fast, 0.005)
            advantage = self.lowest_target(state, action) - self.v(state)
            weight = (3 * advantage).exp().clamp(max=100)
        awr_loss = descend(self.awr_loss(state, action, weight), self.policy_optimizer)
        self.policy_rate.step()
        return v_loss, q_loss, awr_loss


class Behavior:
    """The diffusion behavior model."""

    rows = 2048

    def __init__(self, device, compiled):
        self.model = set_samples(BehaviorModel(), SEEDS["behavior"]).to(device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=3e-4, weight_decay=0.01)
        self.loss = compiled(self.loss)

    def loss(self, state, action, t, noise, keeps):
        alpha, sigma = schedule(t)
        predicted = self.model(alpha * action + sigma * noise, state, t, keeps)
        return ((predicted - noise) ** 2).sum(-1).mean()

    def step(self, batch, draws):
        state, action = batch["state"], batch["action"]
        t, noise, keeps = draws(state, 0.001, 1)
        return (descend(self.loss(state, action, t, noise, keeps), self.optimizer),)


class Policy:
    """Score-regularized policy extraction with sigma^2 weighting and the noise as baseline."""

    rows = 256
    beta = 0.05

    def __init__(self, device, compiled):
        self.policy = set_samples(
            perceptron(OBSERVATIONS, ACTIONS, [nn.Tanh()]), SEEDS["policy"]
        ).to(device)
        self.q = nn.ModuleList(
            set_samples(perceptron(ACTIONS + OBSERVATIONS, 1), SEEDS["q"] + 100 * i)
            for i in range(2)
        ).to(device).requires_grad_(False)
        self.model = set_samples(BehaviorModel(), SEEDS["behavior"]).to(device)
        self.model.requires_grad_(False)
        self.optimizer = torch.optim.Adam(self.policy.parameters(), lr=3e-4)
        self.rate = cosine(self.optimizer, 1_000_000)
        self.q_mean, self.score = compiled(self.q_mean), compiled(self.score)

    def q_mean(self, state, action):
        pair = torch.cat([action, state], -1)
        return sum(head(pair) for head in self.q) / 2

    def score(self, state, action, t, noise):
        alpha, sigma = schedule(t)
        return sigma**2 * (self.model(alpha * action + sigma * noise, state, t) - noise)

    def step(self, batch, draws):
        state = batch["state"]
        action = self.policy(state)
        t, noise, _ = draws(state, 0.02, 0.98)
        held = action.detach().requires_grad_()
        (slope,) = torch.autograd.grad(self.q_mean(state, held).sum(), held)
        with torch.no_grad():
            push = self.score(state, held, t, noise) - self.beta * slope
        loss = descend((push * action).sum(-1).mean(), self.optimizer)
        self.rate.step()
        return (loss,)


def descend(loss, optimizer):
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.detach()


def drawn(state, low, high):
    """Draws new times, noise and dropout masks."""
    rows, device = state.shape[0], state.device
    t = torch.rand(rows, 1, device=device) * (high - low) + low
    return t, torch.randn(rows, ACTIONS, device=device), (True, True, True)


def given(state, low, high):
    """Times, noise and dropout masks of the sample batch."""
    rows, device = state.shape[0], state.device
    t = low + (high - low) * (samples(SEEDS["time"], rows, 1) + 1) / 2
    noise = samples(SEEDS["noise"], rows, ACTIONS)
    keeps = (coins(SEEDS["keep"] + block, 0.9, rows, WIDTH) for block in range(3))
    return t.to(device), noise.to(device), tuple(keep.to(device) for keep in keeps)


def fields(rows, device, terminals):
    """A data set, or a batch, of sample transitions."""
    return {
        "state": samples(SEEDS["state"], rows, OBSERVATIONS).to(device),
        "action": samples(SEEDS["action"], rows, ACTIONS).to(device),
        "reward": samples(SEEDS["reward"], rows, 1).to(device),
        "terminal": coins(SEEDS["terminal"], terminals, rows, 1).to(device),
        "nextState": samples(SEEDS["nextState"], rows, OBSERVATIONS).to(device),
    }


def minibatches(data, rows):
    """Yields consecutive slices of the shuffled data set, which is reshuffled after each epoch."""
    count = data["state"].shape[0]
    while True:
        order = torch.randperm(count, device=data["state"].device)
        shuffled = {name: field[order] for name, field in data.items()}
        for start in range(0, count - rows + 1, rows):
            yield {name: field[start : start + rows] for name, field in shuffled.items()}


STAGES = {"critic": Critic, "behavior": Behavior, "policy": Policy}
