"""Exported files of installed weights, kept in the cache for `--runtime auto` to find."""

from collections.abc import Callable
from pathlib import Path

from amesh.deploy import formats, sidecar
from amesh.deploy.export import export, open_network
from amesh.deploy.formats import Format
from amesh.errors import UserError
from amesh.weights import store


def exported(name: str, format: Format) -> Path:
    """Where the cache keeps a network's file of a format."""
    return store.cache_folder() / format.name / f"{name}{format.suffix}"


def is_current(name: str, format: Format) -> bool:
    """Whether the cache's file was made from the weights that have this name now.

    An update of the package may bring other weights under the same name.

    Raises:
        UserError: The file, its description or the weights are missing or damaged.
    """
    made_from = sidecar.read_unchecked(exported(name, format)).weights_sha256
    return made_from == sidecar.tensors_hash(store.tensors(store.find(name)))


def is_ready(name: str, format: Format) -> bool:
    """Whether a runtime is installed and the cache has the network's current file for it.

    Raises:
        UserError: The file's description or the weights are damaged.
    """
    return exported(name, format).is_file() and format.is_installed and is_current(name, format)


def current(name: str, format: Format) -> Path:
    """The cache's file of a network, for a runtime that somebody asked for.

    Raises:
        UserError: There is none, or it was made from other weights.
    """
    store.find(name)  # a misspelt name is told as such, not as a missing export
    path = exported(name, format)
    if not path.is_file():
        raise UserError(
            f"no {format.suffix} file of {name}; `amesh export {format.name} --model {name} "
            f"--output FILE` writes one, then give that file as the model"
        )
    if not is_current(name, format):
        raise UserError(
            f"{path} was made from other weights than {name} has now; "
            f"`amesh export {format.name} --model {name} --output {path}` makes it again"
        )
    return path


def keep(name: str, format: Format, say: Callable[[str], None] = print) -> Path:
    """Brings a network's file into the cache, unless it is there already.

    Raises:
        UserError: As for `amesh.deploy.export.export`.
    """
    path = exported(name, format)
    net, _ = open_network(name)
    try:
        done = sidecar.read(path).weights_sha256 == sidecar.weights_hash(net)
    except UserError:
        done = False  # missing, or damaged
    return path if done else export(name, format.name, path, say=say)


def keep_all(name: str, say: Callable[[str], None] = print) -> list[Path]:
    """Brings a network's files for all runtimes that are installed here into the cache."""
    return [keep(name, row, say) for row in formats.cached() if row.is_installed]
