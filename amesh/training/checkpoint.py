"""Checkpoints: what network one holds, whether it fits, and how it gets to disk whole."""

import io
import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec
import torch
from lightning_fabric.plugins.io import TorchCheckpointIO

from amesh.errors import UserError
from amesh.files import write_atomically
from amesh.json_lines import convert
from amesh.nn.config import MeshConfig
from amesh.nn.network_config import NetworkConfig
from amesh.topology import portable

_KEY = "amesh"
# What training goes on from, beside the weights.
_TO_RESUME = ("optimizer_states", "lr_schedulers", "loops")
# What two networks may differ in and still have the same weights in the same places; regions are
# compared by what they refine.
_FREE = ("name", "sampler", "detach_theta", "theta_rule", "regions")


class _Held(msgspec.Struct):
    architecture: str
    network: dict[str, Any]


def describe(architecture: str, network: NetworkConfig) -> dict[str, Any]:
    """What a checkpoint says about its network: plain types, so that no pickle is trusted."""
    topology = network.load_topology()
    return {
        "architecture": architecture,
        "network": _plain(network.to_dict() | {"topology": portable(network.topology)}),
        "topology": {"name": topology.name, "points": topology.points},
    }


def check_fits(checkpoint: Mapping[str, Any], architecture: str, network: NetworkConfig) -> None:
    """Compares a checkpoint with the network that is to take it.

    What counts is that the weights have the same places and the same meaning: the landmarks, the
    sizes, and which points each region refines. How the config says it does not.

    Raises:
        UserError: Naming the first thing that differs, and both its values.
    """
    if _KEY not in checkpoint:
        raise UserError("this checkpoint was not written by amesh fit: it does not say its network")
    held, wanted = checkpoint[_KEY], describe(architecture, network)
    missing = [key for key in wanted if not isinstance(held, Mapping) or key not in held]
    if missing:
        raise UserError(f"this checkpoint is incomplete: it does not say its {', '.join(missing)}")
    for key in ("topology", "architecture"):
        if held[key] != wanted[key]:
            raise UserError(
                f"checkpoint of another {key}: it holds {_shown(held[key])}, "
                f"the configuration asks for {_shown(wanted[key])}"
            )
    # Where its topology's file was does not matter: it is the one that the configuration names.
    theirs = type(network).from_dict({**held["network"], "topology": network.topology})
    for key in (field.name for field in fields(network)):
        found, expected = getattr(theirs, key), getattr(network, key)
        # The gaussian sampler has a weight of its own; the other two are the same function.
        gaussian = key == "sampler" and "gaussian" in (found, expected)
        if found != expected and (key not in _FREE or gaussian):
            raise UserError(
                f"checkpoint of another network: its {key} is {found}, "
                f"the configuration's {expected}"
            )
    there, here = _regions(theirs), _regions(network)
    if differing := [name for name in there | here if there.get(name) != here.get(name)]:
        raise UserError(
            f"checkpoint of another network: its regions are {', '.join(there)}, the "
            f"configuration's {', '.join(here)}; {differing[0]} differs"
        )


def read(path: Path) -> dict[str, Any]:
    """Reads a checkpoint without trusting it.

    Raises:
        UserError: There is none, it is damaged, or it holds more than weights and plain values.
    """
    if not path.is_file():
        raise UserError(f"no checkpoint {path}")
    _check_whole(path)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # It is as it was written; torch's own message goes on to say how to load it all the same.
        name = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f" ({name[1]})" if name else ""
        raise UserError(
            f"{path}: refused: besides weights and plain values it holds objects{what} whose "
            "loading may run code; amesh fit does not write such checkpoints"
        ) from error
    except Exception as error:  # whatever a file can be made to raise
        line = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: damaged or not a checkpoint ({line})") from error
    if not isinstance(found, dict):
        raise UserError(f"{path}: not a checkpoint")
    return found


def _check_whole(path: Path) -> None:
    """Compares every part of a checkpoint with its CRC-32: torch writes it, and does not read it.

    Raises:
        UserError: A part is damaged, or the file is not a zip as torch writes it, without
            compression: nothing in it grows when it is read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            plain = all(part.compress_type == zipfile.ZIP_STORED for part in parts)
            broken = archive.testzip() if plain else "its compression"
    except Exception as error:  # zipfile raises a dozen kinds, by where the damage lies
        raise UserError(f"{path}: damaged or not a checkpoint ({error})") from error
    if broken:
        raise UserError(f"{path}: damaged or not a checkpoint (in {broken}); take another one")


def checked(checkpoint: Mapping[str, Any], path: Path, resumes: bool) -> dict[str, Any]:
    """What a checkpoint says about its network.

    Args:
        checkpoint: As it was read.
        path: From where, for messages.
        resumes: Whether training is to go on from it, which takes more than weights.

    Raises:
        UserError: It was not written by `amesh fit`, or lacks a part.
    """
    if not isinstance(checkpoint.get(_KEY), dict):
        raise UserError(f"{path}: not written by amesh fit")
    missing = [
        key for key in ("state_dict", *(_TO_RESUME if resumes else ())) if key not in checkpoint
    ]
    if missing:
        raise UserError(
            f"{path}: incomplete, without {', '.join(missing)}; take another checkpoint"
            + (" or start from exported weights with --model.warm_start" if resumes else "")
        )
    convert(checkpoint[_KEY], _Held, f"{path}: what it says of its network")
    if not isinstance(checkpoint["state_dict"], Mapping):
        raise UserError(f"{path}: damaged: its state_dict is not one")
    held: dict[str, Any] = checkpoint[_KEY]
    return held


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the file and renames: a crash or a full disk leaves the earlier one whole.

    Lightning's own writes to the system's temporary folder first; from there to another disk a
    move is a copy, which can be cut short.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Saves, whole or not at all.

        Raises:
            UserError: The disk is full, or the folder cannot be written to.
        """
        # In memory first: of an error while it writes, torch does not say that the disk is full.
        whole = io.BytesIO()
        torch.save(checkpoint, whole)
        try:
            write_atomically(Path(path), whole.getbuffer())
        except UserError as error:
            raise UserError(
                f"checkpoint not saved: {error}; an earlier one is as it was"
            ) from error

    def load_checkpoint(self, path: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Reads a checkpoint without trusting it."""
        return read(Path(path))


def _regions(network: NetworkConfig) -> dict[str, Any]:
    """What the weights of each region depend on, by name."""
    if not isinstance(network, MeshConfig):
        return {}
    return {r.name: (r, network.region(r.name).capacity) for r in network.refined_regions}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _shown(value: Any) -> str:
    return f"{value['name']} ({value['points']} points)" if isinstance(value, Mapping) else value
