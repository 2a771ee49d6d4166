"""Exported files of installed weights, kept in the cache so that `--runtime auto` finds them."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from amesh.deploy import sidecar
from amesh.deploy.export import export, open_network
from amesh.errors import UserError
from amesh.weights import store

Kept = Literal["onnx", "litert"]

_SUFFIXES: Mapping[str, str] = {"onnx": ".onnx", "litert": ".tflite", "tensorrt": ".engine"}


def exported(name: str, runtime: str) -> Path:
    """Where the cache keeps a network's file for a runtime."""
    return store.cache_folder() / runtime / f"{name}{_SUFFIXES[runtime]}"


def is_current(name: str, runtime: str) -> bool:
    """Whether the cache's file for a runtime was made from the weights that have this name now.

    An update of the package may bring other weights under the same name.

    Raises:
        UserError: The file, its description or the weights are missing or damaged.
    """
    made_from = sidecar.read_unchecked(exported(name, runtime)).weights_sha256
    return made_from == sidecar.tensors_hash(store.tensors(store.find(name)))


def keep(name: str, runtime: Kept, say: Callable[[str], None] = print) -> Path:
    """Brings a network's file for a runtime into the cache, where it is not there already.

    Raises:
        UserError: As for `amesh.deploy.export.export`.
    """
    path = exported(name, runtime)
    net, _ = open_network(name)
    try:
        current = sidecar.read(path).weights_sha256 == sidecar.weights_hash(net)
    except UserError:
        current = False  # missing, or damaged
    return path if current else export(name, runtime, path, say=say)


def keep_all(name: str, say: Callable[[str], None] = print) -> list[Path]:
    """Brings a network's files for all runtimes that are installed here into the cache."""
    runtimes: list[Kept] = ["onnx"]
    if find_spec("ai_edge_litert") is not None:
        runtimes.append("litert")
    return [keep(name, runtime, say) for runtime in runtimes]
