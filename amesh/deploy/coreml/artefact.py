"""Exports a network as a Core ML package.

Core ML runs on Apple's systems only; elsewhere the package is checked by computing its program in
PyTorch.
"""

import contextlib
import io
import json
import logging
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

from amesh.deploy.artefact import Artefact
from amesh.deploy.coreml.program import Program
from amesh.deploy.network.traced import OnnxNetwork
from amesh.deploy.request import Request
from amesh.deploy.sidecar import listing
from amesh.deploy.signature import INPUT, METADATA, NORMALISATION, meanings
from amesh.errors import UserError

_UNUSED = "executorch_debug_handle_mapping.json"  # for debuggers; no part of the model


def coreml_artefact(request: Request) -> Artefact:
    """Exports a package, and computes it in PyTorch for the comparison.

    Raises:
        UserError: The weights are not finite; or coremltools does not know an operator.
    """
    network = OnnxNetwork(request.target, target="gpu")
    config = request.target.config
    about = {
        "model": config.name,
        "architecture": type(request.target).__name__,
        "topology": config.topology,
        "precision": request.precision,
        "layout": "nchw",
        "normalisation": NORMALISATION,
    }
    side = network.input_size
    shape = (request.batch or 1, 3, side, side)
    files = convert(network, shape, network.outputs, about)
    program = Program(files)
    return Artefact(
        listing(files),
        program.run_crops,
        program.inputs,
        program.outputs,
        "nchw",
        ("coremltools",),
        folder=files,
    )


def convert(
    module: torch.nn.Module,
    shape: tuple[int, ...],
    outputs: tuple[str, ...],
    about: dict[str, str],
) -> dict[str, bytes]:
    """Converts a module to the files of a package, by their path in it.

    Args:
        module: From `image` to the outputs.
        shape: Shape of `image`.
        outputs: Names.
        about: Facts to store as JSON under `amesh` in the package's metadata.

    Raises:
        UserError: coremltools cannot convert the module; the message names the operator.
    """
    with _quiet(), tempfile.TemporaryDirectory() as folder:
        import coremltools

        program = torch.export.export(module.eval(), (torch.zeros(shape),))
        try:
            model = coremltools.convert(
                program.run_decompositions({}),
                outputs=[coremltools.TensorType(name) for name in outputs],
                convert_to="mlprogram",
                compute_precision=coremltools.precision.FLOAT32,
                minimum_deployment_target=coremltools.target.iOS16,
                skip_model_load=True,
            )
        except (NotImplementedError, RuntimeError, TypeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(f"coremltools cannot convert this network: {reason}") from error
        model.user_defined_metadata[METADATA] = json.dumps(about, sort_keys=True)
        texts = meanings((INPUT,))
        model.input_description[INPUT] = texts[INPUT]
        for name in outputs:
            model.output_description[name] = texts.get(name, "")
        package = Path(folder) / "network.mlpackage"
        model.save(str(package))
        paths = sorted(path for path in package.rglob("*") if path.is_file())
        return {
            path.relative_to(package).as_posix(): path.read_bytes()
            for path in paths
            if path.name != _UNUSED
        }


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides progress bars, and warnings that Core ML itself and a tested PyTorch are missing."""
    logger = logging.getLogger("coremltools")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
