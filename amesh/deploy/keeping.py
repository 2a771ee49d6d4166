"""Makes the exported files of installed weights that the cache keeps."""

from collections.abc import Callable
from pathlib import Path

from amesh.deploy import cache, formats, sidecar
from amesh.deploy.export import export, open_network
from amesh.deploy.formats import Format
from amesh.errors import UserError
from amesh.weights import hashes, store


def keep(name: str, format: Format, say: Callable[[str], None] = print) -> Path:
    """Exports a network into the cache, unless the cached file is current.

    Raises:
        UserError: As for `amesh.deploy.export.export`.
    """
    path = cache.exported(name, format)
    net, _ = open_network(name)
    try:
        done = cache.is_made_from(sidecar.read(path), hashes.weights_hash(net))
    except UserError:
        done = False  # missing, or damaged
    return path if done else export(name, format.name, path, say=say)


def keep_all(name: str, say: Callable[[str], None] = print) -> list[Path]:
    """Exports a network into the cache for every installed runtime that runs its kind."""
    is_detector = store.header(store.find(name))["architecture"] == "Detector"
    rows = [row for row in formats.cached() if row.detector or not is_detector]
    return [keep(name, row, say) for row in rows if row.is_installed]
