"""The kinds of files that amesh reads: how to make a good one, and what reading it gives."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from damages import Damage, damage_bytes, damage_text

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "deploy"))
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import small_networks
from clips import write_clip
from labelled_pictures import encode, photo

SIZE = 64


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        make: Writes good files into a folder; returns the one to damage.
        read: Reads that file as a user's command does; returns what it gave, to compare.
        damage: Turns its content into a damaged one.
        checked: Whether the file has a checksum: nothing but the original may be read then.
    """

    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    damage: Damage = damage_bytes
    checked: bool = False


def digest(*arrays: Any) -> str:
    """What arrays and plain values hold, in a few letters."""
    found = hashlib.sha256()
    for one in arrays:
        found.update(one.tobytes() if isinstance(one, np.ndarray) else repr(one).encode())
    return found.hexdigest()


def tensors(state: Mapping[str, torch.Tensor]) -> list[Any]:
    return [item for name in sorted(state) for item in (name, state[name].numpy())]


# --- networks


def make_weights(folder: Path) -> Path:
    from amesh.weights import store

    path = folder / "net.safetensors"
    store.save(small_networks.networks()["released"], path, {"source": "a test"})
    return path


def read_weights(path: Path) -> str:
    from amesh.weights import store

    net = store.load(path)
    return digest(*tensors(net.state_dict()), net.config, store.header(path))


def damage_header(content: bytes, rng: np.random.Generator) -> bytes:
    """Damages what the header of a weights file says, as an earlier version wrote it."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"].pop("checksum", None)
    inner = damage_text(header["__metadata__"]["amesh"].encode(), rng)
    header["__metadata__"]["amesh"] = inner.decode(errors="replace")
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def make_checkpoint(folder: Path) -> Path:
    from amesh.training.checkpoint import describe

    net = small_networks.networks()["released"]
    state = {f"net.{name}": tensor for name, tensor in net.state_dict().items()}
    path = folder / "last.ckpt"
    torch.save({"state_dict": state, "amesh": describe("AttentionMesh", net.config)}, path)
    return path


def read_checkpoint(path: Path) -> str:
    from amesh.training.module import network_of

    net = network_of(path)
    return digest(*tensors(net.state_dict()), net.config)


def damage_checkpoint(content: bytes, rng: np.random.Generator) -> bytes:
    """Damages what a checkpoint says of its network; its checksums are right."""
    import io

    found = torch.load(io.BytesIO(content), weights_only=True)
    text = damage_text(json.dumps(found["amesh"]).encode(), rng)
    try:
        found["amesh"] = json.loads(text)
    except (ValueError, RecursionError):
        found["amesh"] = text.decode(errors="replace")
    buffer = io.BytesIO()
    torch.save(found, buffer)
    return buffer.getvalue()


def exported(format: str, described: bool) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        from amesh.deploy.export import export

        net = small_networks.networks()["mesh_only"]
        suffix = {"onnx": "onnx", "litert": "tflite"}[format]
        path = export(net, format, folder / f"net.{suffix}", say=lambda _: None)
        if not described:
            path.with_name(f"{path.name}.json").unlink()
        return path

    return make


def read_exported(path: Path) -> str:
    from amesh.face_mesh import open_runner

    crops = np.random.default_rng(0).random((2, SIZE, SIZE, 3), np.float32)
    return digest(*open_runner(path)(crops))


def make_sidecar(folder: Path) -> Path:
    path = exported("onnx", True)(folder)
    return path.with_name(f"{path.name}.json")


def read_sidecar(path: Path) -> str:
    return read_exported(path.with_suffix(""))


def make_task(folder: Path) -> Path:
    from amesh.deploy import sidecar
    from amesh.deploy.litert.export import export_for_task
    from amesh.deploy.litert.task import LANDMARKS, bundle
    from amesh.deploy.sidecar import Sidecar
    from amesh.topology import load

    net = small_networks.networks()["mesh_only"]
    path = folder / "net.task"
    content = bundle({LANDMARKS: export_for_task(net, "fp32", verify=False)})
    path.write_bytes(content)
    about = Sidecar(
        kind="task",
        sha256=sidecar.sha256(content),
        bytes=len(content),
        model="net",
        topology="face478",
        topology_sha256=sidecar.topology_hash(load()),
        precision="fp32",
        layout="nhwc",
        inputs={},
        outputs={},
        parity={},
    )
    sidecar.write(path, about)
    return path


def read_task(path: Path) -> str:
    from amesh.deploy import sidecar

    return digest(sidecar.read(path))


# --- data


def write_shards(folder: Path) -> Path:
    from amesh.data.sources.labelled_face import LabelledFace
    from amesh.data.sources.shard_files import ShardWriter
    from amesh.topology import load

    points = (30 * load().template + np.array([60.0, 50.0, 0.0])).astype(np.float32)
    with ShardWriter(folder, faces=3) as writer:
        for i in range(3):
            picture = encode(photo(seed=i))
            face = LabelledFace(
                picture=picture,
                scheme="face478",
                points=points + i,
                source="ours",
                key=f"face {i}",
                where="here",
                licence="CC0",
            )
            writer.add(face)
    return next(folder.glob("*.tar"))


def write_index(folder: Path) -> Path:
    tar = write_shards(folder)
    return tar.with_name(f"{tar.name}.index.json")


def write_old_shards(folder: Path) -> Path:
    tar = write_shards(folder)
    path = tar.with_name(f"{tar.name}.index.json")
    index = json.loads(path.read_text())
    del index["checksum"]
    for face in index["faces"]:
        del face["crc32"]
    path.write_text(json.dumps(index))
    return tar


def write_old_index(folder: Path) -> Path:
    tar = write_old_shards(folder)
    return tar.with_name(f"{tar.name}.index.json")


def read_shards(path: Path) -> str:
    from amesh.data.loading.pictures import decode
    from amesh.data.sources.problems import Problems
    from amesh.data.sources.shards import ShardSource

    source, found = ShardSource(path.parent, Problems()), []
    for i in range(len(source)):
        face = source[i]
        found += [face.points, face.key, face.scheme, face.box, face.licence, face.person]
        found.append(decode(face.read_picture(), face.where).pixels)
    return digest(*found)


def make_manifest(folder: Path) -> Path:
    (folder / "a.png").write_bytes(encode(photo()))
    points = [[float(i), float(i % 7), 0.5] for i in range(68)]
    line = {"image": "a.png", "source": "ours", "licence": "CC0", "scheme": "ibug68"}
    line |= {"points": points, "coordinates": "corner", "box": [1, 2, 30, 40], "person": "p"}
    path = folder / "labels.jsonl"
    path.write_text("".join(json.dumps(line | {"group": f"g{i}"}) + "\n" for i in range(4)))
    return path


def make_coco(folder: Path) -> Path:
    points = [value for i in range(68) for value in (float(i), float(i % 7), 2)]
    faces = [{"id": i, "image_id": 1, "keypoints": points} for i in range(4)]
    content = {
        "images": [{"id": 1, "file_name": "a.png", "license": 4}],
        "licenses": [{"id": 4, "name": "CC0"}],
        "annotations": faces,
    }
    path = folder / "labels.json"
    path.write_text(json.dumps(content))
    return path


def make_wflw(folder: Path) -> Path:
    numbers = " ".join(f"{i % 14}.25" for i in range(196))
    path = folder / "list.txt"
    path.write_text("".join(f"{numbers} 1 2 30 40 1 0 0 0 1 0 {i}.png\n" for i in range(4)))
    return path


def make_pts(folder: Path) -> Path:
    (folder / "a.png").write_bytes(encode(photo()))
    rows = "\n".join(f"{i}.5 {i % 7}.25" for i in range(68))
    path = folder / "a.pts"
    path.write_text(f"version: 1\nn_points: 68\n{{\n{rows}\n}}\n")
    return path


def make_mat(folder: Path) -> Path:
    from scipy.io import savemat

    (folder / "a.png").write_bytes(encode(photo()))
    path = folder / "a.mat"
    savemat(path, {"pt3d_68": np.ones((3, 68)), "Pose_Para": np.array([[0.1, 0.8, 0.2]])})
    return path


def read_labels(path: Path) -> str:
    from amesh.data.sources.opening import SourceConfig, open_labels
    from amesh.data.sources.problems import Problems

    place = path.parent if path.suffix in (".pts", ".mat") else path
    source = open_labels(SourceConfig(place), Problems())
    faces = [source[i] for i in range(len(source))]
    return digest(*[item for one in faces for item in (one.points, one.key, one.group)])


def make_results(folder: Path) -> Path:
    face = {"id": 0, "score": 0.5, "landmarks": [[1.5, 2.5, 0.25]] * 8}
    line = {"source": "a.jpg", "frame": 0, "time": 0.0, "size": [8, 9], "faces": [face]}
    path = folder / "faces.jsonl"
    path.write_text("".join(json.dumps(line | {"frame": i}) + "\n" for i in range(4)))
    return path


def read_results(path: Path) -> str:
    from amesh.pipeline.results import read_jsonl

    return digest(*read_jsonl(path))


def make_ledger(folder: Path) -> Path:
    path = folder / "skipped-0000.jsonl"
    known = {"reason": "no face", "detail": "", "time": 1.5}
    lines = [json.dumps({"key": f"a/{i}.jpg"} | known) for i in range(8)]
    path.write_text("\n".join(lines) + "\n")
    return path


def read_ledger(path: Path) -> str:
    from amesh.data.sources.labelled_folder import skipped

    return digest(skipped(path.parent))


def make_picture(kind: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / f"a.{kind.lower()}"
        path.write_bytes(encode(photo(), kind))
        return path

    return make


def read_picture(path: Path) -> str:
    from amesh.pipeline.images import read_image

    return digest(read_image(path))


# --- settings


def make_topology(folder: Path) -> Path:
    import amesh.topology

    shipped = Path(amesh.topology.__file__).parent / "schemes" / "face478.json"
    return Path(shutil.copy(shipped, folder / "own.json"))


def read_topology(path: Path) -> str:
    from amesh.nn.config import MeshConfig
    from amesh.topology import load

    load.cache_clear()
    topology = load(str(path))
    return digest(topology, MeshConfig(topology=str(path)).outputs)


def make_training(folder: Path) -> Path:
    conf = Path(__file__).parents[2] / "conf"
    return Path(shutil.copy(conf / "quick.yaml", folder / "own.yaml"))


def read_training(path: Path) -> str:
    from amesh.training.parser import parsed

    return digest(str(parsed(["fit", "--config", str(path)])))


def make_ablation(folder: Path) -> Path:
    conf = Path(__file__).parents[2] / "conf" / "ablation"
    return Path(shutil.copy(conf / "paper.yaml", folder / "own.yaml"))


def read_plan(path: Path) -> str:
    from amesh.ablation.plan import read_ablation

    return digest(read_ablation(str(path)))


def make_clip(suffix: str, codec: str, pixels: str = "yuv420p") -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        frames = [photo()[i : i + 48, :64] for i in range(8)]
        return write_clip(folder / f"clip.{suffix}", frames, codec, pixels)

    return make


def read_clip(path: Path) -> str:
    from amesh.pipeline.video import open_source

    with open_source(path) as source:
        found = [item for frame in source for item in (frame.time, frame.image)]
    return digest(*found, source.problem)


KINDS: Mapping[str, Kind] = {
    "weights": Kind(make_weights, read_weights, checked=True),
    "weights, header edited": Kind(make_weights, read_weights, damage_header),
    "checkpoint": Kind(make_checkpoint, read_checkpoint, checked=True),
    "checkpoint, edited": Kind(make_checkpoint, read_checkpoint, damage_checkpoint),
    "shard": Kind(write_shards, read_shards, checked=True),
    "shard index": Kind(write_index, read_shards, damage_text, checked=True),
    "shard, earlier version": Kind(write_old_shards, read_shards),
    "index, earlier version": Kind(write_old_index, read_shards, damage_text),
    "manifest": Kind(make_manifest, read_labels, damage_text),
    "COCO": Kind(make_coco, read_labels, damage_text),
    "WFLW list": Kind(make_wflw, read_labels, damage_text),
    "pts": Kind(make_pts, read_labels, damage_text),
    "mat": Kind(make_mat, read_labels),
    "results": Kind(make_results, read_results, damage_text),
    "label ledger": Kind(make_ledger, read_ledger, damage_text),
    "topology": Kind(make_topology, read_topology, damage_text),
    "training YAML": Kind(make_training, read_training, damage_text),
    "ablation YAML": Kind(make_ablation, read_plan, damage_text),
    "onnx": Kind(exported("onnx", True), read_exported, checked=True),
    "onnx, no sidecar": Kind(exported("onnx", False), read_exported),
    "onnx sidecar": Kind(make_sidecar, read_sidecar, damage_text),
    "tflite": Kind(exported("litert", True), read_exported, checked=True),
    "tflite, no sidecar": Kind(exported("litert", False), read_exported),
    "task": Kind(make_task, read_task, checked=True),
    "jpg": Kind(make_picture("JPEG"), read_picture),
    "png": Kind(make_picture("PNG"), read_picture),
    "webp": Kind(make_picture("WEBP"), read_picture),
    "mp4": Kind(make_clip("mp4", "libx264"), read_clip),
    "mkv": Kind(make_clip("mkv", "mjpeg", "yuvj420p"), read_clip),
    "avi": Kind(make_clip("avi", "mpeg4"), read_clip),
    "mov": Kind(make_clip("mov", "png", "rgb24"), read_clip),
}
