"""Code named by a string, so that tables can list it without importing it."""

from importlib import import_module
from operator import attrgetter
from typing import Any


def resolve(reference: str) -> Any:
    """What "module:attribute" names, imported now."""
    module, _, attribute = reference.partition(":")
    return attrgetter(attribute)(import_module(module))
