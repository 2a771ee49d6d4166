"""What the user set: names of shipped configurations, seeds, and complaints in one line."""

import difflib
import re
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from amesh.errors import UserError

# Lines of a parser's message that only lead to the one that counts.
_FRAME = re.compile(
    "Parser key|Unable to load|Expected a path|Problem with|Does not|Subtypes|Errors:|Given value t"
)
# Its terms for types, and ours.
_PLAIN = (
    ("<class '([\\w.]+)'>", "\\1"),
    ("typing.Literal", "one of "),
    (" or Expected an? ", " or "),
    ("Expected an? ", "expected "),
    ("\\. Got value:", ", got"),
    ("NoneType", "null"),
)


def conf_folder() -> Path:
    """The configurations: beside the package in a clone, inside it when installed."""
    package = Path(str(resources.files("amesh")))
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def named_configs(args: Sequence[str]) -> list[str]:
    """Replaces the names of configurations that come with amesh by their files.

    `--config quick` is `conf/quick.yaml`, and `--config trainer/gpu` lays `conf/trainer/gpu.yaml`
    over what came before it.

    Raises:
        UserError: There is no such configuration.
    """
    arguments, is_name = [], False
    for argument in args:
        if is_name:
            arguments.append(_config_file(argument))
        elif argument.startswith("--config="):
            arguments.append("--config=" + _config_file(argument.removeprefix("--config=")))
        else:
            arguments.append(argument)
        is_name = argument in ("--config", "-c")
    return arguments


def share_seed(config: Any) -> None:
    """Lets `seed_everything` govern data and model, where these were not given one of their own.

    Args:
        config: Of one verb; a seed that is still 0 was not given.
    """
    seed = config["seed_everything"]
    if isinstance(seed, bool):  # none, or not chosen yet
        return
    for part in ("data", "model"):
        config[part]["seed"] = config[part]["seed"] or seed


def complaint(message: str, known: Iterable[str]) -> str:
    """What a parser says of a setting, in one line: which, what is wrong, what to do.

    Args:
        message: The parser's own message, of several lines if a setting has several types.
        known: Names of all settings, for the one that was meant.
    """
    if found := re.search(r"unrecognized arguments: -*([\w.]+)", message):
        name = found[1]
    elif found := re.search(r"Group '([\w.]+)' does not accept option '([\w.]+)'", message):
        name = f"{found[1]}.{found[2]}"
    if found:
        near = difflib.get_close_matches(name, list(known), 1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        return f"no setting {name!r}{meant}; `--help` lists them all"
    # The longest key is the innermost; of several types that did not fit the first says most.
    keys = re.findall(r'Parser key "([\w.]+)":', message)
    where = f"{max(keys, key=len)}: " if keys else ""
    lines = [line.strip(" -") for line in message.splitlines()]
    lines = [line for line in lines if line and not _FRAME.match(line)]
    given = next((line for line in lines if line.startswith("Given value:")), "")
    errors = list(dict.fromkeys(line for line in lines if line != given))
    telling = [line for line in errors if not line.startswith("Expected") or " Got " in line]
    text = (telling or [" or ".join(errors)])[0] if given else " ".join(errors)
    for pattern, plain in _PLAIN:
        text = re.sub(pattern, plain, text)
    return where + text + given.replace("Given value:", ", got")


def shipped_configs() -> tuple[dict[str, str], list[str]]:
    """The configurations that come with amesh.

    Returns:
        What each whole one is for, by name; and the names of the fragments, a line for each folder.
    """
    wholes: dict[str, str] = {}
    fragments: dict[str, list[str]] = {}
    for name, path in _shipped().items():
        folder = name.rpartition("/")[0]
        if folder:
            fragments.setdefault(folder, []).append(name)
        else:
            first = path.read_text(encoding="utf-8").splitlines()[0]
            wholes[name] = first.lstrip("# ").removesuffix(".")
    return wholes, [", ".join(names) for names in fragments.values()]


def _config_file(name: str) -> str:
    if Path(name).is_file():
        return name
    shipped = _shipped()
    if name in shipped:
        return str(shipped[name])
    near = difflib.get_close_matches(name, shipped, 1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    raise UserError(f"no configuration {name!r}{meant}; give a file or one of {', '.join(shipped)}")


def _shipped() -> dict[str, Path]:
    folder = conf_folder()
    return {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for path in sorted(folder.rglob("*.yaml"))
        if path.parent.name not in ("sweeps", "ablation")  # of W&B and of `amesh ablate`
    }
