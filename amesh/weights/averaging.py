"""Averages the weights of several networks: as fast as one of them, often better than each.

Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves accuracy
without increasing inference time" (ICML 2022). It works for networks from the same training run or
fine-tuned from the same weights; the mean of runs with different initial weights is useless.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from amesh.errors import UserError
from amesh.nn.config import MeshConfig
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
    headers = [store.header(file) for file in files]
    kinds = [
        (one["architecture"], MeshConfig.from_dict(one["config"] | {"name": ""})) for one in headers
    ]
    for file, kind in zip(files, kinds, strict=True):
        if kind != kinds[0]:
            raise UserError(f"{file}: architecture or config differs from {files[0]}")
    net = store.load(files[0])
    if any(isinstance(part, nn.BatchNorm2d) for part in net.modules()):
        raise UserError(f"{files[0]}: has BatchNorm, whose statistics cannot be averaged")
    found = [store.tensors(file) for file in files]
    mean = {name: torch.stack([one[name] for one in found]).mean(0) for name in found[0]}
    net.load_state_dict(mean)
    about = [
        {"weights": file.stem, **one["origin"]} for file, one in zip(files, headers, strict=True)
    ]
    return net, {"source": "amesh weights average", "version": __version__, "averaged": about}
