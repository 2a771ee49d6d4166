"""Runs a TFLite file on LiteRT's GPU accelerator, entirely or not at all.

The accelerator in the `ai-edge-litert` wheel is the one for phones (ML Drift), using WebGPU. It
works with any Vulkan driver, so without a GPU, Chromium's SwiftShader can show that a file compiles
and computes; `nox -s litert_gpu` unpacks it. SwiftShader has no half precision, so it does not
reproduce the rounding of a phone's half-precision shaders.

Each run has its own process, because the accelerator crashes on some graphs that it cannot compile,
such as a grouped convolution whose groups are not multiples of four channels.

    python tests/support/litert_gpu.py MODEL.tflite INPUTS.npz OUTPUTS.npz
"""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from amesh.errors import UserError

_REFUSED = "operations are not supported by GPU delegate:"
_ADAPTER = "Selected adapter: "


class GpuRun(NamedTuple):
    """Result of a run.

    Attributes:
        outputs: Outputs by name.
        adapter: The device that computed them, as the runtime describes it.
    """

    outputs: dict[str, np.ndarray]
    adapter: str


def run_on_gpu(model: str | Path | bytes, inputs: Mapping[str, np.ndarray]) -> GpuRun:
    """Runs a file once, every operator on the GPU.

    Args:
        model: Path or content of the file.
        inputs: float32 arrays by name.

    Raises:
        UserError: There is no GPU that LiteRT can use, or it cannot run the whole file; the message
            names the operators that it rejected.
    """
    with tempfile.TemporaryDirectory(prefix="amesh-") as folder:
        given, found, file = (Path(folder) / name for name in ("in.npz", "out.npz", "model.tflite"))
        file.write_bytes(model if isinstance(model, bytes) else Path(model).read_bytes())
        np.savez(given, **inputs)  # type: ignore[arg-type]
        command = [sys.executable, __file__, *map(str, (file, given, found))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            source = "the TFLite model" if isinstance(model, bytes) else str(model)
            raise UserError(f"{source}: {_reason(done.stderr, done.returncode)}")
        with np.load(found) as arrays:
            outputs = {name: arrays[name] for name in arrays.files}
    adapters = [line for line in done.stderr.splitlines() if _ADAPTER in line]
    return GpuRun(outputs, adapters[0].partition(_ADAPTER)[2] if adapters else "")


def _reason(log: str, code: int) -> str:
    lines = log.splitlines()
    refused = [i for i, line in enumerate(lines) if line.endswith(_REFUSED)]
    if refused:
        names = []
        for line in lines[refused[0] + 1 :]:
            name, colon, _ = line.partition(":")
            if not colon or not name.replace("_", "").isalnum():
                break
            names.append(name)
        return f"not on LiteRT's GPU accelerator: {', '.join(names)}"
    if "No adapters found" in log:
        return "LiteRT found no GPU; without one, `nox -s litert_gpu` uses SwiftShader"
    if code < 0:
        return f"LiteRT's GPU accelerator crashed (signal {-code})"
    return lines[-1] if lines else f"LiteRT's GPU accelerator failed ({code})"


def _run(model: Path, given: Path, found: Path) -> None:
    try:
        from ai_edge_litert.compiled_model import CompiledModel
        from ai_edge_litert.hardware_accelerator import HardwareAccelerator
    except ImportError:
        sys.exit("TFLite files run in LiteRT: pip install -c constraints.txt '.[litert]'")
    compiled = CompiledModel.from_file(str(model), hardware_accel=HardwareAccelerator.GPU)
    if not compiled.is_fully_accelerated():
        sys.exit("not fully accelerated")
    [key] = compiled.get_signature_list()
    inputs = compiled.get_input_tensor_details(key)
    outputs = compiled.get_output_tensor_details(key)
    filled = {name: compiled.create_input_buffer_by_name(key, name) for name in inputs}
    empty = {name: compiled.create_output_buffer_by_name(key, name) for name in outputs}
    with np.load(given) as arrays:
        for name, buffer in filled.items():
            buffer.write(np.ascontiguousarray(arrays[name], np.float32).reshape(-1))
    compiled.run_by_name(key, filled, empty)
    results = {}
    for name, details in outputs.items():
        shape = [int(n) for n in details["shape"]]
        results[name] = empty[name].read(int(np.prod(shape)), np.float32).reshape(shape)
    np.savez(found, **results)


if __name__ == "__main__":
    _run(*map(Path, sys.argv[1:]))
