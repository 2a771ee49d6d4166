"""Where trained weights come from, and whether they may be released."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amesh.data.licences import releasable
from amesh.errors import UserError
from amesh.training.checkpoint import read
from amesh.weights import store

_UNKNOWN = "not stated"


def started_from(name: str) -> dict[str, Any]:
    """The origin of weights that training starts from, under their own name.

    Raises:
        UserError: There are no such weights.
    """
    path = store.find(name)
    return {"weights": path.stem, **store.header(path)["origin"]}


def refused_terms(origin: Mapping[str, Any]) -> list[str]:
    """The terms that keep weights from being released; those of what they started from, too.

    Args:
        origin: Of imported weights (`licence`), of trained ones (`licences`: faces by terms, and
            `warm_start`: the origin of what they started from), of a mean (`averaged`: the origin
            of each), or what a checkpoint says.
    """
    averaged = origin.get("averaged") or []
    stated = [] if averaged else [origin.get("licence") or _UNKNOWN]
    terms = list(origin.get("licences") or stated)
    refused = [term for term in terms if not releasable(term)]
    start = origin.get("warm_start")
    for before in [*averaged, *([start] if start else [])]:
        refused += refused_terms(before)
    return list(dict.fromkeys(refused))


def check_release(path: Path) -> None:
    """Makes sure that a network may be released.

    Raises:
        UserError: Some of what it was trained on does not allow it, or the file cannot tell.
    """
    if path.suffix == ".safetensors":
        origin = store.header(path)["origin"]
    elif path.suffix == ".ckpt":
        origin = read(path).get("amesh", {})
    else:
        raise UserError(f"{path}: does not say what it was trained on; release the .safetensors")
    refused = refused_terms(origin)
    if refused:
        raise UserError(
            f"{path}: not released: it was trained on pictures under these terms, which do not "
            f"allow it as far as is known: {', '.join(refused)}"
        )
