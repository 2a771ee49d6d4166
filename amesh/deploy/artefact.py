"""An exported file in memory, and how it is written to disk with its sidecar."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amesh.deploy import sidecar
from amesh.deploy.exported_file import ExportedFile
from amesh.deploy.parity import Run
from amesh.deploy.sidecar import Sidecar, tensor_specs
from amesh.deploy.signature import NORMALISATION, Layout, Shapes
from amesh.errors import UserError
from amesh.files import check_replaceable, write_atomically, write_folder
from amesh.topology import load

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Artefact:
    """An exported file that is not on disk yet, with a function that runs it.

    Attributes:
        content: The file's bytes; of a folder, the listing of its files.
        run: Runs exactly these bytes.
        inputs: Shapes by name.
        outputs: Shapes by name.
        layout: Order of the image's axes.
        packages: Packages that made it; the sidecar records their versions.
        details: Further entries of the sidecar that the runtime needs to open the file.
        reference: What `run` must agree with; None is the network itself.
        dtypes: Types of the inputs and outputs that are not float32, by name.
        normalisation: Value range of the image.
        beside: Further files, by the pattern of their name: `{stem}.bin`, `{name}.onnx`.
        folder: Files by their path in it, if the file is a folder.
    """

    content: bytes
    run: Run
    inputs: Shapes
    outputs: Shapes
    layout: Layout
    packages: tuple[str, ...]
    details: Mapping[str, Any] = field(default_factory=dict)
    reference: "nn.Module | None" = None
    dtypes: Mapping[str, str] = field(default_factory=dict)
    normalisation: str = NORMALISATION
    beside: Mapping[str, bytes] = field(default_factory=dict)
    folder: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        own = self.folder.values() if self.folder else (self.content,)
        return sum(map(len, (*own, *self.beside.values())))

    def further_files(self, path: Path) -> dict[Path, bytes]:
        """The files beside the one that is written to `path`, without the sidecar."""
        return {
            path.with_name(pattern.format(name=path.name, stem=path.stem)): content
            for pattern, content in self.beside.items()
        }


def artefact_of(
    file: ExportedFile, content: bytes, packages: tuple[str, ...], **further: Any
) -> Artefact:
    """Describes an exported file that is open.

    Args:
        file: The file, opened from its content.
        content: The file's bytes.
        packages: Packages that made it.
        further: Fields of `Artefact` that the file does not know.
    """
    known: dict[str, Any] = {
        "run": file.run_crops,
        "inputs": file.inputs,
        "outputs": file.stored,
        "layout": file.layout,
        "dtypes": file.dtypes,
        "normalisation": file.normalisation,
    }
    return Artefact(content=content, packages=packages, **{**known, **further})


def write(artefact: Artefact, path: Path, kind: str, topology: str, **facts: Any) -> Sidecar:
    """Writes a file, what belongs beside it, and its sidecar, each atomically.

    The sidecar comes last, so an interruption in between leaves a hash that does not match,
    never one that matches the wrong file.

    Args:
        artefact: The file's content and description.
        path: Where to write it.
        kind: Its format; see `amesh.deploy.formats`.
        topology: Name of its landmark scheme; empty for a face detector.
        facts: The sidecar's other fields.

    Raises:
        UserError: A file cannot be written, or another that belongs beside it has its name. In that
            case nothing is written.
    """
    beside = artefact.further_files(path)
    if path in beside:
        raise UserError(f"{path}: the name of a file that belongs beside it; choose another")
    for file in beside if artefact.folder else (path, *beside):
        check_replaceable(file)
    described = Sidecar(
        kind=kind,
        sha256=sidecar.sha256(artefact.content),
        bytes=artefact.size,
        topology=topology,
        topology_sha256=sidecar.topology_hash(load(topology)) if topology else "",
        layout=artefact.layout,
        normalisation=artefact.normalisation,
        inputs=tensor_specs(artefact.inputs, artefact.dtypes),
        outputs=tensor_specs(artefact.outputs, artefact.dtypes),
        versions=sidecar.versions("torch", *artefact.packages),
        details=artefact.details,
        **facts,
    )
    for file, content in beside.items():
        write_atomically(file, content)
    if artefact.folder:
        write_folder(path, artefact.folder)
    else:
        write_atomically(path, artefact.content)
    sidecar.write(path, described)
    return described
