"""Describes exported files for people to read, without running them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amesh.deploy import formats, sidecar
from amesh.deploy.exported_file import ExportedFile
from amesh.deploy.formats import Format
from amesh.deploy.sidecar import Sidecar, TensorSpec, sidecar_file, tensor_specs
from amesh.deploy.signature import meanings
from amesh.errors import UserError
from amesh.weights.origin import origin_line

_LONG = 32


def describe(path: Path) -> str:
    """Formats what is known of an exported file: its runtime, network, inputs, outputs and origin.

    Args:
        path: The file, with or without its sidecar, which says more.

    Raises:
        UserError: The file is missing or damaged, does not match its sidecar, or has none and
            cannot be opened here.
    """
    row = formats.format_of(path)
    if row is None:
        known = ", ".join(one.suffix for one in formats.exported())
        raise UserError(f"{path}: not an exported file; those end in {known}")
    if not path.exists():
        raise UserError(f"no file {path}; `amesh export {row.name}` writes one")
    has_sidecar = sidecar_file(path).is_file()
    about = sidecar.read(path) if has_sidecar or not row.reader else _read(path, row)
    lines = [f"{path.name}: {row.summary}", "", *_facts(about)]
    texts = meanings(about.inputs, about.normalisation)
    for group, specs in (("inputs", about.inputs), ("outputs", about.outputs)):
        lines += ["", group, *(_tensor(name, spec, texts) for name, spec in specs.items())]
    if about.weights_sha256:
        lines += ["", "weights", _line("SHA-256", about.weights_sha256)]
        lines += [_line("source", origin_line(about.weights))]
        lines += [_line("licence", about.weights["licence"])] if "licence" in about.weights else []
    if about.parity:
        lines += ["", _compared(about.parity, path)]
    if about.versions:
        lines += ["", "written by", *(_line(*item) for item in about.versions.items())]
    if about.details:
        details = about.details.items()
        lines += ["", row.name, *(_line(name, _shown(value)) for name, value in details)]
    beside = sidecar_file(path).name
    more = f"{beside} says more" if has_sidecar else f"no {beside} beside it, which would say more"
    lines += ["", more]
    return "\n".join(lines)


def _read(path: Path, row: Format) -> Sidecar:
    """What a file says of itself."""
    row.require()
    file: ExportedFile = row.read(path)
    return Sidecar(
        kind=row.name,
        sha256=sidecar.sha256(sidecar.content_of(path)),
        bytes=file.size,
        model=file.about.get("model", ""),
        architecture=file.about.get("architecture", ""),
        part=file.about.get("part", ""),
        topology=file.about.get("topology", ""),
        topology_sha256="",
        precision=file.about.get("precision", ""),
        layout=file.layout,
        normalisation=file.normalisation,
        inputs=tensor_specs(file.inputs, file.dtypes),
        outputs=tensor_specs(file.stored),
        parity={},
    )


def _compared(parity: Mapping[str, Any], path: Path) -> str:
    try:
        worst, count = float(parity["all"]["max"]), int(parity["count"])
    except (KeyError, TypeError, ValueError) as error:
        raise sidecar.damaged(path) from error
    other = parity.get("against", "PyTorch")
    return f"at most {worst:.5f} px from {other}, over {count} crops"


def _facts(about: Sidecar) -> list[str]:
    batch = next(iter(about.inputs.values())).shape[0] if about.inputs else None
    facts = {
        "network": f"{about.architecture} {about.model}".strip() or "not stated",
        "part": about.part,
        "topology": about.topology,
        "precision": about.precision or "not stated",
        "batch": "any" if batch is None else str(batch),
        "layout": about.layout,
        "normalisation": about.normalisation,
        "size": f"{about.bytes / 1e6:.1f} MB",
        "SHA-256": about.sha256,
    }
    return [f"{name:<17}{value}" for name, value in facts.items() if value]


def _tensor(name: str, spec: TensorSpec, texts: Mapping[str, str]) -> str:
    shape = ", ".join("any" if length is None else str(length) for length in spec.shape)
    return _line(name, f"{spec.dtype} ({shape})  {texts.get(name, '')}".rstrip())


def _line(name: str, value: str) -> str:
    return f"  {name:<14} {value}"


def _shown(value: object) -> str:
    if isinstance(value, list) and len(value) > _LONG:
        return f"{len(value)} numbers"
    return value if isinstance(value, str) else json.dumps(value)
