"""Looks up exported files of installed weights in the cache, without PyTorch.

`--runtime auto` uses them; `amesh.deploy.keeping` makes them.
"""

from pathlib import Path

from amesh.deploy import sidecar
from amesh.deploy.formats import Format
from amesh.deploy.sidecar import EXPORTERS, Sidecar
from amesh.errors import UserError
from amesh.weights import hashes, store


def exported(name: str, format: Format) -> Path:
    """Path of a network's cached file in a format."""
    return store.cache_folder() / format.name / f"{name}{format.suffix}"


def is_current(name: str, format: Format) -> bool:
    """Whether the cached file was made from the weights that currently have this name.

    An update of the package may bring new weights under the same name, or better exporters.

    Raises:
        UserError: The file, its sidecar or the weights are missing or damaged.
    """
    made = sidecar.read_unchecked(exported(name, format))
    return is_made_from(made, hashes.tensors_hash(store.tensors(store.find(name))))


def is_made_from(made: Sidecar, weights_sha256: str) -> bool:
    """Whether a file was made from these weights, by the exporters of this version."""
    return (made.weights_sha256, made.versions.get("exporters")) == (weights_sha256, EXPORTERS)


def is_ready(name: str, format: Format) -> bool:
    """Whether a runtime is installed and a current file for it is cached.

    Raises:
        UserError: The file's sidecar or the weights are damaged.
    """
    return exported(name, format).is_file() and format.is_installed and is_current(name, format)


def current(name: str, format: Format) -> Path:
    """Path of the cached file for a runtime that the user chose.

    Raises:
        UserError: There is none, or it was made from other weights.
    """
    store.find(name)  # report a misspelt name as such, not as a missing export
    path = exported(name, format)
    if not path.is_file():
        raise UserError(
            f"no {format.suffix} file of {name}; `amesh export {format.name} --model {name} "
            f"--output FILE` writes one, then give that file as the model"
        )
    if not is_current(name, format):
        raise UserError(
            f"{path} was made from other weights than {name} has now, or by an older exporter; "
            f"export it again: "
            f"`amesh export {format.name} --model {name} --output {path}`"
        )
    return path
