"""Whether two trainings have the same settings, as far as these say what the network becomes."""

from collections.abc import Mapping
from typing import Any

# Settings that change nothing of the network. A logger's gain the run's id where one goes on.
_FREE = ("trainer.default_root_dir", "trainer.enable_progress_bar", "trainer.logger", "ckpt_path")


def differences(wanted: Mapping[str, Any], held: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Settings that two trainings do not share: name to the wanted and the held value.

    Settings that only one of them knows are those of another version of amesh, and pass.
    """
    ours, theirs = _flat(wanted), _flat(held)
    # A training that went on took its weights from the checkpoint, and says so.
    free = (*_FREE, *(("model.warm_start",) if theirs.get("ckpt_path") else ()))
    return {
        key: (ours[key], theirs[key])
        for key in ours
        if key in theirs and not key.startswith(free) and ours[key] != theirs[key]
    }


def _flat(settings: Any, name: str = "") -> dict[str, Any]:
    if not isinstance(settings, Mapping) or not settings:
        return {name: settings}
    parts = [_flat(value, f"{name}.{key}".lstrip(".")) for key, value in settings.items()]
    return {key: value for part in parts for key, value in part.items()}
