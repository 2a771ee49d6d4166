"""Builds model repositories for NVIDIA's Triton server from engines and their sidecars."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amesh.deploy.sidecar import sidecar_file
from amesh.deploy.signature import INPUT
from amesh.deploy.tensorrt.sidecar import check, read_sidecar
from amesh.errors import UserError
from amesh.files import write_atomically

_TYPES = {"float32": "FP32", "uint8": "UINT8"}


def write_model(
    engine: Path,
    repository: Path,
    name: str | None = None,
    instances: int = 1,
    queue_delay: int = 500,
) -> Path:
    """Adds an engine to a repository: `NAME/config.pbtxt` and `NAME/1/model.plan`.

    Args:
        engine: The engine, next to its sidecar.
        repository: Triton's model repository.
        name: Name for clients; by default the engine's file name without its suffix.
        instances: Execution instances per GPU.
        queue_delay: How long a request may wait for others to share its batch [us].

    Returns:
        The model's folder.

    Raises:
        UserError: The engine is missing or damaged, is stripped of weights (Triton does not
            refit), or the name is invalid.
    """
    sidecar = read_sidecar(engine)
    content = engine.read_bytes()
    check(sidecar, content, engine)
    if sidecar["stripped"]:
        raise UserError(f"{engine}: stripped of weights; Triton needs a whole engine")
    name = engine.stem if name is None else name
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise UserError(f"model name {name!r}: only letters, digits, '_', '.' and '-'")
    folder = repository / name
    write_atomically(folder / "1" / "model.plan", content)
    description = sidecar_file(engine).read_bytes()
    write_atomically(sidecar_file(folder / "1" / "model.plan"), description)
    text = config(sidecar, name, instances, queue_delay)
    write_atomically(folder / "config.pbtxt", text.encode())
    return folder


def config(sidecar: Mapping[str, Any], name: str, instances: int, queue_delay: int) -> str:
    """Writes the text of `config.pbtxt`.

    Args:
        sidecar: The engine's sidecar.
        name: Name of the model.
        instances: Execution instances per GPU.
        queue_delay: Longest wait for a fuller batch [us].
    """
    image, outputs = sidecar["inputs"][INPUT]["shape"], sidecar["outputs"]
    dynamic = image[0] is None
    kind_of_image = f"TYPE_{_TYPES[sidecar['inputs'][INPUT]['dtype']]}"
    lines = [
        f"# {sidecar['model']}, {sidecar['precision']}, TensorRT {sidecar['tensorrt']}, "
        f"{sidecar['gpu']['name']}; {INPUT}: {sidecar['normalisation']}",
        f"name: {json.dumps(name)}",
        'platform: "tensorrt_plan"',
        f"max_batch_size: {sidecar['profiles'][0][2] if dynamic else 0}",
        *_tensor("input", INPUT, image, dynamic, kind_of_image),
    ]
    for output, tensor in outputs.items():
        lines += _tensor("output", output, tensor["shape"], dynamic)
    profiles = ", ".join(f'"{i}"' for i in range(len(sidecar["profiles"])))
    lines += [
        "instance_group [",
        f"  {{ count: {instances} kind: KIND_GPU profile: [ {profiles} ] }}",
        "]",
    ]
    if dynamic:
        smallest, typical, largest = sidecar["profiles"][0]
        preferred = ", ".join(str(size) for size in sorted({typical, largest} - {1})) or "1"
        lines += [
            "dynamic_batching {",
            f"  preferred_batch_size: [ {preferred} ]",
            f"  max_queue_delay_microseconds: {queue_delay}",
            "}",
        ]
        sizes = [size for size in powers(largest) if size == 1 or size >= smallest]
    else:
        smallest, sizes = 0, [0]
    inner = ", ".join(str(length) for length in (image[1:] if dynamic else image))
    shape = f'input {{ key: "{INPUT}" value: {{ dim: [ {inner} ] }} }}'
    lines += ["optimization {", "  cuda {", "    graphs: true", "    output_copy_stream: true"]
    before = 0
    for size in sizes:
        # A graph also serves the batches above the next smaller one: what lies in the places that
        # are left cannot reach the others, because every crop is computed on its own.
        low = max(before + 1, smallest)
        bound = f" graph_lower_bound {{ batch_size: {low} {shape} }}" if 1 < low < size else ""
        lines.append(f"    graph_spec {{ batch_size: {size} {shape}{bound} }}")
        before = size
    lines += ["  }", "}", "model_warmup ["]
    warm = []
    for size in sizes:
        value = f"data_type: {kind_of_image} dims: [ {inner} ] zero_data: true"
        tensor = f'inputs {{ key: "{INPUT}" value: {{ {value} }} }}'
        warm.append(f'  {{ name: "batch {size or image[0]}" batch_size: {size} {tensor} }}')
    return "\n".join([*lines, ",\n".join(warm), "]", ""])


def powers(largest: int) -> list[int]:
    """The sizes for which graphs are captured: 1, 2, 4 and so on, and the largest."""
    return sorted({1 << i for i in range(largest.bit_length())} | {largest})


def _tensor(
    kind: str, name: str, shape: list[int | None], dynamic: bool, data_type: str = "TYPE_FP32"
) -> list[str]:
    inner = shape[1:] if dynamic else shape
    # Triton does not support scalars: a single number per crop is sent as a list of one.
    dims = f"dims: [ {', '.join(str(length) for length in inner) or '1'} ]"
    reshape = "" if inner else " reshape: { shape: [ ] }"
    return [f'{kind} [ {{ name: "{name}" data_type: {data_type} {dims}{reshape} }} ]']
