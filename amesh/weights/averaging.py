"""Averages the weights of several networks: as fast as one of them, often better than each.

Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves accuracy
without increasing inference time" (ICML 2022). It works for networks from the same training run or
fine-tuned from the same weights; the mean of runs with different initial weights is useless.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from amesh.errors import UserError
from amesh.nn.network_config import NetworkConfig
from amesh.version import __version__
from amesh.weights import store


def average(models: Sequence[str | Path]) -> tuple[nn.Module, dict[str, Any]]:
    """Averages networks with equal weight; returns the mean network and the origins of all.

    Args:
        models: Names or weights files, of the same architecture and config except for the name.

    Raises:
        UserError: There are fewer than two different networks, they differ in more than their
            weights, or they have BatchNorm, whose statistics cannot be averaged.
    """
    files = [store.find(model) for model in models]
    if len({store.file_hash(file) for file in files}) < max(len(files), 2):
        raise UserError("average: give two or more networks, each once")
    nets = [store.load(file) for file in files]
    for file, other in zip(files, nets, strict=True):
        if _kind(other) != _kind(nets[0]):
            raise UserError(f"{file}: architecture or config differs from {files[0]}")
    net = nets[0]
    if any(isinstance(part, nn.BatchNorm2d) for part in net.modules()):
        raise UserError(f"{files[0]}: has BatchNorm, whose statistics cannot be averaged")
    found = [other.state_dict() for other in nets]
    mean = {name: torch.stack([one[name] for one in found]).mean(0) for name in found[0]}
    net.load_state_dict(mean)
    about = [{"weights": file.stem, **store.header(file)["origin"]} for file in files]
    return net, {"source": "amesh weights average", "version": __version__, "averaged": about}


def _kind(net: nn.Module) -> tuple[type[nn.Module], object]:
    """What networks have to share: everything but their weights and names."""
    config = net.config
    if isinstance(config, NetworkConfig):
        return type(net), replace(config, name="")
    return type(net), config  # a detector's name is its type
