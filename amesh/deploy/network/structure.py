"""Rejects a network that is not exactly what its config describes.

Exporters write the modules that they know by name. Anything else in the network (another
activation, a dropout, an additional parameter) would be missing from the file.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from amesh.errors import UserError

# Types that are equivalent in evaluation: distributed training converts one to the other.
_SAME: Mapping[type[nn.Module], type[nn.Module]] = {nn.SyncBatchNorm: nn.BatchNorm2d}
# Settings that only matter in training, or only when a module is built.
_IGNORED = frozenset(("training", "momentum", "init"))
_PLAIN = (bool, int, float, str, tuple, list, type(None))


def check_structure(net: nn.Module, expected: nn.Module) -> None:
    """Compares a network, module by module, with a fresh one built from the same config.

    Args:
        net: The network to export.
        expected: A network built from its config; the weights may differ.

    Raises:
        UserError: A module, parameter, buffer or setting is unknown, missing or different.
    """
    found, wanted = _modules(net), _modules(expected)
    for name, module in found.items():
        if name not in wanted:
            raise _refusal(name, module, "is not part of the network")
        reference = wanted[name]
        if _type(module) is not _type(reference):
            raise _refusal(name, module, f"is in place of a {type(reference).__name__}")
        _check_module(name, module, reference)
    for name, reference in wanted.items():
        if name not in found:
            raise _refusal(name, reference, "is missing")
    if list(found) != list(wanted):
        name = next(a for a, b in zip(found, wanted, strict=True) if a != b)
        raise _refusal(name, found[name], "does not run in its usual order")


def _check_module(name: str, module: nn.Module, reference: nn.Module) -> None:
    for kind, own, usual in (
        ("parameter", module._parameters, reference._parameters),
        ("buffer", module._buffers, reference._buffers),
    ):
        for key, tensor in _present(own).items():
            wanted = usual.get(key)
            if wanted is None:
                raise _refusal(name, module, f"has an unknown {kind} {key!r}")
            if tensor.shape != wanted.shape:
                shapes = f"{tuple(tensor.shape)}, expected {tuple(wanted.shape)}"
                raise _refusal(name, module, f"has a {key} of shape {shapes}")
        for key in _present(usual):
            if own.get(key) is None:
                raise _refusal(name, module, f"has no {kind} {key!r}")
    # Buffers that are not saved are derived from the config: indices into the landmarks.
    for key in sorted(reference._non_persistent_buffers_set):
        if not module.get_buffer(key).cpu().equal(reference.get_buffer(key)):
            raise _refusal(name, module, f"has a buffer {key} that differs from its config")
    for key, setting in _settings(reference).items():
        value = getattr(module, key, None)
        if value != setting:
            raise _refusal(name, module, f"has {key} {value!r}, expected {setting!r}")


def _refusal(name: str, module: nn.Module, problem: str) -> UserError:
    what = f"module {name}" if name else "the network"
    return UserError(f"{what} ({type(module).__name__}) {problem}; it cannot be exported")


def _modules(net: nn.Module) -> dict[str, nn.Module]:
    return dict(net.named_modules(remove_duplicate=False))


def _type(module: nn.Module) -> type[nn.Module]:
    return _SAME.get(type(module), type(module))


def _present(tensors: Mapping[str, Tensor | None]) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in tensors.items() if tensor is not None}


def _settings(module: nn.Module) -> dict[str, Any]:
    return {
        key: value
        for key, value in vars(module).items()
        if not key.startswith("_") and key not in _IGNORED and isinstance(value, _PLAIN)
    }
