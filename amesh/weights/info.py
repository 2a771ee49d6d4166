"""Summarises a network: parameters, multiply-accumulates, config and origin."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from amesh.blazeface.config import DetectorConfig
from amesh.errors import UserError
from amesh.nn.config import NAMED
from amesh.weights import hashes, store
from amesh.weights.origin import origin_lines
from amesh.weights.packages import NETWORKS

_WITHOUT = {"released-192": "random; `amesh weights import` downloads the released weights"}


def describe(name_or_path: str) -> str:
    """Formats a table of a network's parts, then its config and origin.

    Args:
        name_or_path: Installed weights, a weights file, or a family member without weights.

    Raises:
        UserError: There is no such network.
    """
    try:
        path = store.find(name_or_path)
    except UserError as error:
        if name_or_path not in NAMED:
            file = Path(name_or_path)
            if name_or_path in NETWORKS or file.suffix or file.is_file():
                raise error from None  # says how to get it, or what the file is
            known = ", ".join(sorted({*NAMED, *store.installed()}))
            raise UserError(f"no network {name_or_path!r}; choose one of {known}") from None
        net, origin = (
            store.untrained(name_or_path),
            {"source": _WITHOUT.get(name_or_path, "random: not trained")},
        )
    else:
        net, origin = store.load(path), store.header(path)["origin"]
    config: Any = net.config
    size = config.input_size
    parts = parameters_by_part(net)
    macs = macs_by_part(net, torch.zeros(1, 3, size, size))
    label = config.name + ("-range detector" if isinstance(config, DetectorConfig) else "")
    lines = [f"{type(net).__name__} {label}", "", f"{'part':<18}{'parameters':>12}{'MMAC':>9}"]
    lines += [f"{part:<18}{parts[part]:>12,}{macs.get(part, 0) / 1e6:>9.2f}" for part in parts]
    lines += [f"{'all':<18}{sum(parts.values()):>12,}{sum(macs.values()) / 1e6:>9.2f}", ""]
    lines += [f"SHA-256 of the weights: {hashes.weights_hash(net)}", ""]
    lines += ["config", *(f"  {name:<15}{_shown(value)}" for name, value in asdict(config).items())]
    lines += ["", "origin", *origin_lines(origin, "  ")]
    return "\n".join(lines)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def parameters_by_part(net: nn.Module) -> dict[str, int]:
    """Number of parameters of each top-level part; regions are counted separately."""
    return {name: sum(p.numel() for p in part.parameters()) for name, part in _parts(net).items()}


def macs_by_part(net: nn.Module, image: torch.Tensor) -> dict[str, int]:
    """Multiply-accumulates of each part's convolutions and matrix products in a forward pass."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        net(image)
    counts = counter.get_flop_counts()
    root = type(net).__name__
    macs = dict.fromkeys(_parts(net), 0)
    for path, module in net.named_modules():
        # Count leaf modules only: containers are not always called themselves.
        parts = [name for name in macs if f"{path}.".startswith(f"{name}.")]
        if parts and next(module.children(), None) is None:
            macs[parts[0]] += sum(counts.get(f"{root}.{path}", {}).values()) // 2
    rest = sum(counts["Global"].values()) // 2 - sum(macs.values())
    return {**macs, **({"(other)": rest} if rest else {})}


def _parts(net: nn.Module) -> dict[str, nn.Module]:
    parts: dict[str, nn.Module] = {}
    for name, child in net.named_children():
        if isinstance(child, nn.ModuleDict):
            parts |= {f"{name}.{key}": item for key, item in child.items()}
        else:
            parts[name] = child
    return {name: part for name, part in parts.items() if any(True for _ in part.parameters())}
