"""Record the outputs of Google's released networks in their own runtime.

Runs in a separate environment (`tests/golden/requirements-oracle.txt`), because `mediapipe` pins
`numpy<2` and `protobuf<5`. Imports neither amesh nor torch, so its results are independent
evidence.

    python tests/golden/oracle.py record  # two golden files next to this script
    python tests/golden/oracle.py record-landmarker face_landmarker.task  # the third
    python tests/golden/oracle.py crops --output crops.npz
    python tests/golden/oracle.py network --crops IN.npz --output OUT.npz --taps 4
    python tests/golden/oracle.py detector --inputs IN.npz --model short --output OUT.npz
    python tests/golden/oracle.py pipeline pictures/ --output faces.jsonl --max-faces 10

Naming. `left_eye` and `left_iris` keep the file's own names: the eye on the left of the image
(landmarks 33 and 133), which is the subject's right eye.

Units. Landmarks of `network` are crop pixels in [0, 192], those of `pipeline` pixels of the source
picture.

Layout. Taps are NHWC, as in the file: `shared` (k 48 48 32), `theta` (k 3 4 4), `region`
(k 3 16 16 32), the three regions in the order lips, left eye, right eye.
"""

import argparse
import hashlib
import json
import struct
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import mediapipe
import numpy as np
from mediapipe.framework import calculator_pb2
from mediapipe.python import packet_creator, packet_getter
from mediapipe.python._framework_bindings import (
    calculator_graph,
    image_frame,
    resource_util,
    validated_graph_config,
)
from mediapipe.tasks.python import BaseOptions, vision

GOLDEN = Path(__file__).resolve().parent
PACKAGE = Path(mediapipe.__file__).resolve().parent
LANDMARK_MODEL = PACKAGE / "modules/face_landmark/face_landmark_with_attention.tflite"
LANDMARK_GRAPH = PACKAGE / "modules/face_landmark/face_landmark_front_cpu.binarypb"
DETECTORS = {  # name: (file, side of the square input [px])
    "short": (PACKAGE / "modules/face_detection/face_detection_short_range.tflite", 128),
    "full": (PACKAGE / "modules/face_detection/face_detection_full_range_sparse.tflite", 192),
}

# The landmark network in face_landmarker.task.
LANDMARKER_SHA256 = "c7d54204ce0448474c7f3fa9af494787c0965cbdd6f20fc72867e43046bd43d5"
LANDMARKER_CROP = 256  # [px]

# Outputs of the landmark network in the file's order; "left" is the image's left.
OUTPUTS = {
    "mesh": (468, 3),
    "lips": (80, 2),
    "left_eye": (71, 2),
    "right_eye": (71, 2),
    "left_iris": (5, 2),
    "right_iris": (5, 2),
    "flag": (),
}
CROP = 192  # [px]
MAP = 48  # side of the shared map [cells]
REGION = 16  # side of a region crop [cells]
FACE = (225.0, 130.0)  # centre of the face in skimage.data.astronaut() [px]
SIDE = 143.0  # side of the square that MediaPipe cuts around it [px]
PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


def frame_packet(image: np.ndarray, time: int) -> Any:
    """A uint8 RGB picture as MediaPipe's packet."""
    frame = image_frame.ImageFrame(mediapipe.ImageFormat.SRGB, np.ascontiguousarray(image))
    return packet_creator.create_image_frame(frame).at(time)


class Flatbuffer:
    """Reads as much of a .tflite file as is needed to find and expose inner tensors.

    Field numbers are those of the TensorFlow Lite schema: Model.operator_codes 1 and subgraphs 2;
    SubGraph.tensors 0, outputs 2 and operators 3; Operator.opcode_index 0, inputs 1 and outputs 2;
    OperatorCode.custom_code 1; Tensor.shape 0 and name 3.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.graph = self.tables(self.u32(0), 2)[0]

    def u32(self, at: int) -> int:
        return int(struct.unpack_from("<I", self.data, at)[0])

    def field(self, table: int, number: int) -> int:
        """Address of a field of a table; 0 if the field is absent."""
        vtable = table - struct.unpack_from("<i", self.data, table)[0]
        if 4 + 2 * number >= struct.unpack_from("<H", self.data, vtable)[0]:
            return 0
        offset = struct.unpack_from("<H", self.data, vtable + 4 + 2 * number)[0]
        return table + int(offset) if offset else 0

    def vector(self, table: int, number: int) -> tuple[int, int]:
        """Address of the first element and the length; a string is a vector of bytes."""
        at = self.field(table, number)
        if not at:
            return 0, 0
        start = at + self.u32(at)
        return start + 4, self.u32(start)

    def ints(self, table: int, number: int) -> list[int]:
        start, length = self.vector(table, number)
        return list(struct.unpack_from(f"<{length}i", self.data, start))

    def tables(self, table: int, number: int) -> list[int]:
        start, length = self.vector(table, number)
        return [at + self.u32(at) for at in range(start, start + 4 * length, 4)]

    def text(self, table: int, number: int) -> str:
        start, length = self.vector(table, number)
        return self.data[start : start + length].decode()

    def shape(self, tensor: int) -> tuple[int, ...]:
        return tuple(self.ints(self.tables(self.graph, 0)[tensor], 0))

    def custom_operators(self, code: str) -> list[tuple[list[int], list[int]]]:
        """Input and output tensors of each operator with that custom code, in the file's order."""
        codes = [self.text(table, 1) for table in self.tables(self.u32(0), 1)]
        found = []
        for operator in self.tables(self.graph, 3):
            index = self.field(operator, 0)
            if codes[self.u32(index) if index else 0] == code:
                found.append((self.ints(operator, 1), self.ints(operator, 2)))
        return found

    def name(self, tensor: int) -> str:
        return self.text(self.tables(self.graph, 0)[tensor], 3)

    def outputs(self) -> list[int]:
        return self.ints(self.graph, 2)

    def with_outputs(self, tensors: list[int]) -> bytes:
        """The same model with these tensors as its outputs.

        The new list is appended, and the single offset that pointed to the old list is changed to
        point to it. Offsets are relative and unsigned, and nothing else in the file moves.
        """
        data = bytearray(self.data)
        data += bytes(-len(data) % 16)
        at = self.field(self.graph, 2)
        struct.pack_into("<I", data, at, len(data) - at)
        return bytes(data + struct.pack(f"<I{len(tensors)}i", len(tensors), *tensors))


class Network:
    """One .tflite file in MediaPipe's inference calculator (XNNPACK, one thread), fed with whole
    pictures.

    ImageToTensorCalculator without a rectangle, at the input's own size, maps every pixel to
    itself; each run checks that the resulting tensor is the scaled picture.
    """

    def __init__(self, model: bytes, side: int, low: float, extra: list[int] | None = None) -> None:
        self.file = Flatbuffer(model)
        self.side, self.low = side, low
        self.tensors = self.file.outputs() + (extra or [])
        self.shapes = [self.file.shape(tensor) for tensor in self.tensors]
        count = len(self.tensors)
        streams = [f"out{i}" for i in range(count)]
        parts = [f"tensor{i}" for i in range(count)]
        split = "\n".join(f'output_stream: "{part}"' for part in parts)
        ranges = "\n".join(f"ranges {{ begin: {i} end: {i + 1} }}" for i in range(count))
        floats = "\n".join(
            f'node {{ calculator: "TensorsToFloatsCalculator" input_stream: "TENSORS:{source}" '
            f'output_stream: "FLOATS:{target}" }}'
            for source, target in zip([*parts, "input"], [*streams, "seen"], strict=True)
        )
        self.streams = ["seen", *streams]
        self.results: dict[str, np.ndarray] = {}
        self.graph = calculator_graph.CalculatorGraph(
            graph_config=f"""
            input_stream: "image"
            input_side_packet: "blob"
            node {{ calculator: "TfLiteModelCalculator" input_side_packet: "MODEL_BLOB:blob"
                    output_side_packet: "MODEL:model" }}
            node {{ calculator: "TfLiteCustomOpResolverCalculator"
                    output_side_packet: "OP_RESOLVER:resolver" }}
            node {{ calculator: "ImageToTensorCalculator"
                    input_stream: "IMAGE:image" output_stream: "TENSORS:input"
                    options {{ [mediapipe.ImageToTensorCalculatorOptions.ext] {{
                        output_tensor_width: {side} output_tensor_height: {side}
                        output_tensor_float_range {{ min: {low} max: 1.0 }} }} }} }}
            node {{ calculator: "InferenceCalculator"
                    input_stream: "TENSORS:input" output_stream: "TENSORS:all"
                    input_side_packet: "MODEL:model" input_side_packet: "OP_RESOLVER:resolver"
                    options {{ [mediapipe.InferenceCalculatorOptions.ext] {{
                        delegate {{ xnnpack {{ num_threads: 1 }} }} }} }} }}
            node {{ calculator: "SplitTensorVectorCalculator" input_stream: "all" {split}
                    options {{ [mediapipe.SplitVectorCalculatorOptions.ext] {{ {ranges} }} }} }}
            {floats}
            """
        )
        for name in self.streams:
            self.graph.observe_output_stream(name, self.keep)
        blob = self.file.with_outputs(self.tensors)
        self.graph.start_run({"blob": packet_creator.create_string(blob)})
        self.time = 0

    def keep(self, name: str, packet: Any) -> None:
        self.results[name] = np.array(packet_getter.get_float_list(packet), np.float32)

    def __call__(self, crop: np.ndarray) -> list[np.ndarray]:
        """Outputs of one uint8 RGB picture of the input's size, each in the file's shape."""
        if crop.shape != (self.side, self.side, 3) or crop.dtype != np.uint8:
            raise ValueError(
                f"expected uint8 ({self.side}, {self.side}, 3), found {crop.dtype} {crop.shape}"
            )
        self.results.clear()
        self.time += 1
        self.graph.add_packet_to_input_stream("image", frame_packet(crop, self.time))
        self.graph.wait_until_idle()
        wanted = crop.astype(np.float64) / 255 * (1 - self.low) + self.low
        error = np.abs(self.results["seen"].reshape(crop.shape) - wanted).max()
        if error > 2e-7:
            raise RuntimeError(f"the network was fed another picture: it differs by {error:.3g}")
        return [self.results[f"out{i}"].reshape(shape) for i, shape in enumerate(self.shapes)]

    def close(self) -> None:
        self.graph.close_all_packet_sources()
        self.graph.wait_until_done()


class FaceMesh:
    """MediaPipe's own static-image face mesh, with its inner streams for each face.

    The graph of `mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True,
    refine_landmarks=True)` with its default thresholds and additional output streams. Rectangle,
    score and landmarks of a face leave the graph's loop over faces with the same timestamp, by
    which they are joined. A face rejected by the network's flag has a rectangle and a score, but
    no landmarks.
    """

    STREAMS = (
        "face_rect",
        "face_landmarks",
        "facelandmarkcpu__face_presence_score",
        "face_detections",
    )

    def __init__(self, max_faces: int) -> None:
        resource_util.set_resource_dir(str(PACKAGE.parent))
        valid = validated_graph_config.ValidatedGraphConfig()
        valid.initialize(binary_graph_path=str(LANDMARK_GRAPH))
        config = calculator_pb2.CalculatorGraphConfig()
        config.ParseFromString(valid.binary_config)
        self.graph = calculator_graph.CalculatorGraph(graph_config=config)
        self.packets: dict[str, dict[int, Any]] = {}
        for name in self.STREAMS:
            self.graph.observe_output_stream(name, self.keep)
        sides = {"num_faces": packet_creator.create_int(max_faces)}
        sides |= {"with_attention": packet_creator.create_bool(True)}
        sides |= {"use_prev_landmarks": packet_creator.create_bool(False)}
        self.graph.start_run(sides)
        self.time = 0
        self.detections: list[dict[str, Any]] = []  # of the last picture

    def keep(self, name: str, packet: Any) -> None:
        read = {
            "face_detections": packet_getter.get_proto_list,
            "facelandmarkcpu__face_presence_score": packet_getter.get_float,
        }.get(name, packet_getter.get_proto)
        self.packets[name][packet.timestamp.value] = read(packet)

    def __call__(self, image: np.ndarray) -> list[dict[str, Any]]:
        """Faces of a uint8 RGB picture, each a JSON object in pixels of that picture."""
        height, width = image.shape[:2]
        self.packets = {name: {} for name in self.STREAMS}
        self.time += 1_000_000
        self.graph.add_packet_to_input_stream("image", frame_packet(image, self.time))
        self.graph.wait_until_idle()
        rects, landmarks, scores, detections = (self.packets[name] for name in self.STREAMS)
        faces: list[dict[str, Any]] = []
        for time in sorted(landmarks):
            rect = rects[time]
            points = [(p.x * width, p.y * height, p.z * width) for p in landmarks[time].landmark]
            centre = (rect.x_center * width, rect.y_center * height)
            roi = [*centre, rect.width * width, rect.height * height, rect.rotation]
            face = {"id": len(faces), "score": scores[time], "landmarks": points, "roi": roi}
            faces.append(face)
        self.detections = []
        for found in next(iter(detections.values()), []):
            box = found.location_data.relative_bounding_box
            keypoints = found.location_data.relative_keypoints
            detection = {
                "score": found.score[0],
                "box": [
                    box.xmin * width,
                    box.ymin * height,
                    box.width * width,
                    box.height * height,
                ],
                "keypoints": [(k.x * width, k.y * height) for k in keypoints],
            }
            self.detections.append(detection)
        return faces

    def close(self) -> None:
        self.graph.close_all_packet_sources()
        self.graph.wait_until_done()


def run_network(crops: np.ndarray, taps: int) -> dict[str, np.ndarray]:
    """Outputs of the landmark network for uint8 crops (n 192 192 3), and the first crops' taps.

    Taps are inner tensors turned into outputs of the file. Those crops also run through the
    original file, and both results must be identical bit for bit; region crops must equal NumPy's
    samples of the shared map.
    """
    model = LANDMARK_MODEL.read_bytes()
    file = Flatbuffer(model)
    thetas = [outputs[0] for _, outputs in file.custom_operators("Landmarks2TransformMatrix")]
    samplers = file.custom_operators("TransformTensorBilinear")
    if [inputs[1] for inputs, _ in samplers] != thetas:
        raise RuntimeError(f"expected one sampler per matrix {thetas}, found {samplers}")
    extra = [samplers[0][0][0], *thetas, *(outputs[0] for _, outputs in samplers)]
    plain = Network(model, CROP, 0.0)
    tapped = Network(model, CROP, 0.0, extra)
    rows, inner = [], []
    for index, crop in enumerate(crops):
        row = plain(crop)
        if index < taps:
            both = tapped(crop)
            if any(not np.array_equal(a, b) for a, b in zip(row, both, strict=False)):
                raise RuntimeError(f"crop {index}: the outputs changed when taps were added")
            inner.append(both[len(row) :])
            shared, *pairs = (tensor[0] for tensor in inner[-1])
            for theta, region in zip(pairs[:3], pairs[3:], strict=True):
                check_tap(shared, theta, region)
        rows.append(row)
    plain.close()
    tapped.close()
    result = {
        name: np.stack([row[i].reshape(shape) for row in rows])
        for i, (name, shape) in enumerate(OUTPUTS.items())
    }
    if inner:
        result["shared"] = np.stack([row[0][0] for row in inner])
        result["theta"] = np.stack([np.concatenate(row[1:4]) for row in inner])
        result["region"] = np.stack([np.concatenate(row[4:7]) for row in inner])
    return result


def sample_points(theta: np.ndarray) -> np.ndarray:
    """Map positions (16 16 2), x first, of a region's cells by a 4 x 4 matrix of the file.

    They are in cells from the centre of the map's first cell.
    """
    u, v = np.meshgrid(np.arange(REGION) + 0.5, np.arange(REGION) + 0.5)
    cells = np.stack([u, v, np.zeros_like(u), np.ones_like(u)], axis=-1)
    return np.asarray(cells @ theta[:2].astype(np.float64).T - 0.5)


def outside(theta: np.ndarray) -> np.ndarray:
    """Flags samples beyond the centres of the map's outermost cells, where the file gives 0."""
    points = sample_points(theta)
    return np.asarray(((points < 0) | (points > MAP - 1)).any(axis=-1))


def check_tap(shared: np.ndarray, theta: np.ndarray, region: np.ndarray) -> None:
    """Sample the shared map again in double precision and compare with one region crop."""
    points = sample_points(theta)
    corner = np.clip(np.floor(points).astype(int), 0, MAP - 2)
    fx, fy = np.moveaxis(points - corner, -1, 0)[..., None]
    x, y = np.moveaxis(corner, -1, 0)
    top = shared[y, x] * (1 - fx) + shared[y, x + 1] * fx
    bottom = shared[y + 1, x] * (1 - fx) + shared[y + 1, x + 1] * fx
    wanted = np.where(outside(theta)[..., None], 0, top * (1 - fy) + bottom * fy)
    error = np.abs(wanted - region).max()
    if error > 1e-3:
        raise RuntimeError(f"the taps do not belong together: region crops differ by {error:.3g}")


def run_detector(inputs: np.ndarray, model: str) -> dict[str, np.ndarray]:
    """Raw outputs `regressors` (n anchors 16) and `classificators` (n anchors 1) of a detector.

    Inputs are uint8, or floats in [-1, 1] that stand for whole grey levels (value * 2 / 255 - 1).
    """
    path, side = DETECTORS[model]
    if inputs.dtype != np.uint8:
        levels = (inputs.astype(np.float64) + 1) * 127.5
        if np.abs(levels - np.clip(levels.round(), 0, 255)).max() > 1e-3:
            raise ValueError("expected floats that are value * 2 / 255 - 1 of whole values 0..255")
        inputs = levels.round().astype(np.uint8)
    network = Network(path.read_bytes(), side, -1.0)
    rows = [network(picture) for picture in inputs]
    network.close()
    names = [network.file.name(tensor) for tensor in network.tensors]
    if [shape[-1] for shape in network.shapes] != [16, 1]:
        raise RuntimeError(
            f"expected regressors, then classificators, found {names} {network.shapes}"
        )
    parts = [np.concatenate(part) for part in zip(*rows, strict=True)]
    return dict(zip(("regressors", "classificators"), parts, strict=True))


def astronaut() -> np.ndarray:
    """The picture that golden inputs are made from: NASA, public domain; uint8 RGB (512 512 3)."""
    import skimage.data

    image = np.asarray(skimage.data.astronaut())
    if image.shape != (512, 512, 3):
        raise RuntimeError(f"expected the astronaut as (512, 512, 3), found {image.shape}")
    return image


def coarse(image: np.ndarray) -> np.ndarray:
    """Reduces 256 grey levels to 32: a third of the size in the golden files, for the same face."""
    return np.asarray(image // 8 * 8, np.uint8)


def cut(
    image: np.ndarray,
    centre: tuple[float, float],
    size: tuple[float, float],
    degrees: float = 0.0,
    mirror: bool = False,
    side: int = CROP,
) -> np.ndarray:
    """Cuts a rotated rectangle as a square crop: bilinear, black outside the picture.

    `centre` and `size` are pixels between corners of the picture; `degrees` rotates from x to y.
    """
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    scale = np.array([size[0] * (-1 if mirror else 1), size[1]]) / side
    linear = np.array([[cos, -sin], [sin, cos]]) * scale
    offset = np.array(centre) - 0.5 - linear @ np.full(2, (side - 1) / 2)
    matrix = np.concatenate([linear, offset[:, None]], axis=1)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, matrix, (side, side), flags=flags)


def golden_crops(side: int = CROP) -> tuple[np.ndarray, list[str], list[int]]:
    """Crops (n side side 3), their names, and which of them have region samples beyond the map.

    The border crops come first (their taps are kept). They were found among some 5,000 random cuts
    and are rounded; `record` asserts that they still cross the border. The network keeps its mesh
    inside the crop, so only eyes cut by the crop's left or right edge, at high zoom, get there.
    """
    image = astronaut()
    crops: dict[str, np.ndarray] = {}

    def face(
        name: str, dx: float = 0, dy: float = 0, width: float = 1, height: float = 1, **how: Any
    ) -> None:
        """Shifts and sizes as fractions of the square that MediaPipe cuts."""
        centre = (FACE[0] + dx * SIDE, FACE[1] + dy * SIDE)
        crops[name] = coarse(cut(image, centre, (width * SIDE, height * SIDE), side=side, **how))

    for name, centre, size in (
        ("border_left", (238, 126), (116, 156)),
        ("border_right", (208, 128), (120, 152)),
        ("border_both", (224.5, 115.5), (91, 109)),
        ("border_left_near", (232, 128), (100, 128)),
        ("border_right_near", (206, 126), (114, 138)),
    ):
        crops[name] = coarse(cut(image, centre, size, side=side))
    border = list(range(len(crops)))
    face("upright")
    for scale in (0.8, 1.3, 1.8, 2.6):
        face(f"scale_{scale}", width=scale, height=scale)
    face("shifted", 0.12, 0.12)
    for degrees in (-90, -45, -20, 12, 30, 60, 90):
        face(f"turned_{degrees}", degrees=degrees)
    face("upside_down", degrees=180)
    face("narrow_0.6", width=1.5, height=0.9)
    face("narrow_0.8", width=1.25)
    face("flat_0.6", width=0.9, height=1.5)
    for name, dx, dy in (
        ("left", 0.35, 0),
        ("right", -0.35, 0),
        ("top", 0, 0.4),
        ("bottom", 0, -0.4),
    ):
        face(f"cut_{name}", dx, dy)
    face("mirrored", mirror=True)
    face("mirrored_turned", degrees=25, mirror=True)
    upright = crops["upright"]
    left, right, top, bottom = (line * side // CROP for line in (80, 112, 70, 122))
    for name, where in (
        ("left", np.s_[:, :left]),
        ("right", np.s_[:, right:]),
        ("top", np.s_[:top]),
        ("bottom", np.s_[bottom:]),
    ):
        crops[f"black_{name}"] = upright.copy()
        crops[f"black_{name}"][where] = 0
    crops["dark"] = upright // 8
    crops["grey"] = np.repeat(upright.mean(axis=-1, keepdims=True).astype(np.uint8), 3, axis=-1)
    noise = np.random.default_rng(0).integers(0, 256, upright.shape, dtype=np.uint8)
    crops["grainy"] = np.clip(upright + noise[::-1] // 8 - 16.0, 0, 255).astype(np.uint8)
    crops["noise"] = noise
    crops["black"] = np.zeros_like(noise)
    crops["white"] = np.full_like(noise, 255)
    return np.stack(list(crops.values())), list(crops), border


def golden_inputs(side: int) -> tuple[np.ndarray, list[str]]:
    """Detector inputs (n side side 3): the whole picture, the face close and rotated, and noise."""
    image = astronaut()
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    inputs = {
        "whole": coarse(small),
        "close": coarse(cut(image, FACE, (2 * SIDE, 2 * SIDE), side=side)),
        "turned": coarse(cut(image, FACE, (3 * SIDE, 3 * SIDE), degrees=35, side=side)),
        "noise": np.random.default_rng(1).integers(0, 256, small.shape, dtype=np.uint8),
    }
    return np.stack(list(inputs.values())), list(inputs)


def record(folder: Path) -> None:
    """Write `released_192.npz` and `detectors.npz`."""
    folder.mkdir(parents=True, exist_ok=True)
    crops, names, border = golden_crops()
    result = run_network(crops, taps=len(crops))
    crossing = [[int(outside(matrix).sum()) for matrix in matrices] for matrices in result["theta"]]
    found = [index for index, counts in enumerate(crossing) if any(counts)]
    if found != border or len(border) < 3:
        raise RuntimeError(
            f"crops {border} should cross the map's border, found {found}: {crossing}"
        )
    points = np.stack([sample_points(matrix) for matrix in result["theta"].reshape(-1, 4, 4)])
    margin = np.minimum(np.abs(points), np.abs(points - (MAP - 1))).min()
    if margin < 1e-3:  # rounding would decide the sample's side
        raise RuntimeError(f"a sample lies only {margin:.2g} cells from the map's border")
    print(f"the sample nearest to the map's border is {margin:.3f} cells away from it")
    for index, (name, counts) in enumerate(zip(names, crossing, strict=True)):
        flag = result["flag"][index]
        print(f"{index:3} {name:18} flag {flag:7.2f}  samples beyond the map {counts}")
    kept = np.array([0, names.index("upright"), 1])  # the crops whose larger taps are kept
    result["shared"] = result["shared"][kept[:2]]
    result["region"] = result["region"][kept]
    np.savez_compressed(
        folder / "released_192.npz",
        crops=crops,
        names=np.array(names),
        border_crops=np.array(border),
        shared_crops=kept[:2],
        region_crops=kept,
        **result,
    )
    detectors: dict[str, np.ndarray] = {}
    for model, (_, side) in DETECTORS.items():
        inputs, labels = golden_inputs(side)
        answers = run_detector(inputs, model)
        arrays = {"inputs": inputs, "names": np.array(labels), **answers}
        detectors |= {f"{model}_{name}": array for name, array in arrays.items()}
        best = answers["classificators"].max(axis=(1, 2))
        print(model, dict(zip(labels, best.tolist(), strict=True)))
    np.savez_compressed(folder / "detectors.npz", **detectors)
    for name in ("released_192.npz", "detectors.npz"):
        print(f"{name}: {(folder / name).stat().st_size} bytes")


def record_landmarker(bundle: Path, folder: Path) -> None:
    """Write `face_landmarker_v2.npz`: the network's outputs, and Face Landmarker on the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(bundle) as archive:
        model = archive.read("face_landmarks_detector.tflite")
    if hashlib.sha256(model).hexdigest() != LANDMARKER_SHA256:
        raise RuntimeError(f"{bundle} holds another network than the one that was tested")
    crops, names, border = golden_crops(LANDMARKER_CROP)
    kept = slice(len(border), None, 2)  # it has no regions; half of the others are enough
    crops, names = crops[kept], names[kept]
    network = Network(model, LANDMARKER_CROP, 0.0)
    rows = [network(crop) for crop in crops]
    network.close()
    landmarks = np.stack([row[0].reshape(478, 3) for row in rows])
    flag = np.stack([row[1].reshape(()) for row in rows])
    for index, name in enumerate(names):
        print(f"{index:3} {name:18} flag {flag[index]:7.2f}")
    options = vision.FaceLandmarkerOptions(BaseOptions(model_asset_path=str(bundle)))
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        image = mediapipe.Image(mediapipe.ImageFormat.SRGB, astronaut())
        [face] = landmarker.detect(image).face_landmarks
    scale = np.array([image.width, image.height, image.width])
    picture = np.array([(p.x, p.y, p.z) for p in face]) * scale
    file = folder / "face_landmarker_v2.npz"
    np.savez_compressed(
        file,
        crops=crops,
        names=np.array(names),
        landmarks=landmarks,
        flag=flag,
        picture=picture.astype(np.float32),
    )
    print(f"{file.name}: {file.stat().st_size} bytes")


def pictures(paths: list[Path]) -> Iterator[tuple[str, Path]]:
    """(source, path) of each picture: files as given, those in a folder relative to it, sorted."""
    for path in paths:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.suffix.lower() in PICTURES:
                    yield file.relative_to(path).as_posix(), file
        else:
            yield path.as_posix(), path


def run_pipeline(paths: list[Path], output: Path, max_faces: int, detections: bool) -> None:
    """Writes one JSON object per line and picture, read as displayed (cv2 applies EXIF)."""
    mesh = FaceMesh(max_faces)
    with output.open("w") as file:
        for source, path in pictures(paths):
            line: dict[str, Any] = {"source": source, "frame": 0, "time": 0.0}
            image = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if image is None:
                line |= {"size": None, "error": "not a readable picture"}
            else:
                line |= {"size": [image.shape[1], image.shape[0]], "faces": mesh(image[:, :, ::-1])}
                if detections:
                    line["detections"] = mesh.detections
            file.write(json.dumps(rounded(line)) + "\n")
    mesh.close()


def rounded(value: Any) -> Any:
    """Rounds a JSON value to five decimals: enough for pixels, short enough to read."""
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, (list, tuple)) else value


def main(args: list[str] | None = None) -> int:
    """Run one subcommand."""
    parser = argparse.ArgumentParser(
        description="Record the outputs of Google's released face networks in their own runtime."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "record", help="write both golden files: crops, network and detectors"
    )
    command.add_argument(
        "--output", type=Path, default=GOLDEN, help="folder (default: that of this script)"
    )
    command = commands.add_parser(
        "record-landmarker", help="write the golden file of Face Landmarker V2"
    )
    command.add_argument("bundle", type=Path, metavar="face_landmarker.task")
    command.add_argument(
        "--output", type=Path, default=GOLDEN, help="folder (default: that of this script)"
    )
    command = commands.add_parser(
        "crops", help="write only the golden crops: crops, names, border_crops"
    )
    command.add_argument("--output", type=Path, required=True, help=".npz file")
    command = commands.add_parser(
        "network", help="raw outputs of face_landmark_with_attention.tflite"
    )
    command.add_argument(
        "--crops", type=Path, required=True, help=".npz with crops: uint8 RGB (n 192 192 3)"
    )
    command.add_argument("--output", type=Path, required=True, help=".npz file")
    command.add_argument(
        "--taps",
        type=int,
        default=0,
        metavar="K",
        help="also shared, theta, region of the first K crops",
    )
    command = commands.add_parser("detector", help="raw outputs of a face detector")
    command.add_argument(
        "--inputs",
        type=Path,
        required=True,
        help=".npz with inputs (n s s 3): uint8 RGB, or the same as floats in [-1, 1]",
    )
    command.add_argument(
        "--model",
        choices=DETECTORS,
        required=True,
        help="short range (s = 128) or full range sparse (s = 192)",
    )
    command.add_argument("--output", type=Path, required=True, help=".npz file")
    command = commands.add_parser(
        "pipeline", help="MediaPipe's whole face mesh on pictures, as JSON lines"
    )
    command.add_argument("paths", nargs="+", type=Path, metavar="PICTURE_OR_FOLDER")
    command.add_argument("--output", type=Path, required=True, help=".jsonl file")
    command.add_argument(
        "--max-faces", type=int, default=1, metavar="N", help="faces a picture (default: 1)"
    )
    command.add_argument(
        "--detections",
        action="store_true",
        help="also the detector's boxes and keypoints of each picture",
    )
    options = parser.parse_args(args)
    if options.command == "record":
        record(options.output)
    elif options.command == "record-landmarker":
        record_landmarker(options.bundle, options.output)
    elif options.command == "crops":
        crops, names, border = golden_crops()
        arrays = {"crops": crops, "names": np.array(names), "border_crops": np.array(border)}
        np.savez_compressed(options.output, **arrays)
    elif options.command == "network":
        crops = np.load(options.crops)["crops"]
        np.savez_compressed(options.output, **run_network(crops, options.taps))
    elif options.command == "detector":
        inputs = np.load(options.inputs)["inputs"]
        np.savez_compressed(options.output, **run_detector(inputs, options.model))
    else:
        run_pipeline(options.paths, options.output, options.max_faces, options.detections)
    return 0


if __name__ == "__main__":
    sys.exit(main())
