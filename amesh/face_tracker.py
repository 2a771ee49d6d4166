"""`FaceTracker` and `track`: the Python interface for video."""

import os
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from amesh.deploy import formats
from amesh.face_mesh import as_runner, open_detector
from amesh.nn.names import DEFAULT
from amesh.pipeline.detector_kind import DetectorKind
from amesh.pipeline.face_pipeline import Face, FacePipeline
from amesh.pipeline.frames import Source
from amesh.pipeline.smoothing import OneEuro
from amesh.pipeline.tracking import Tracker
from amesh.pipeline.video import open_source
from amesh.runner import Runner


class FaceTracker(Tracker):
    """Follows faces and their landmarks through frames of your own.

    A face keeps its `id` as long as it is followed. A face that is lost and comes back is a new one
    with a new id: faces are not recognised. No id is given twice, not even after `reset`.

    - A face is lost when its score falls below `min_score`, when it leaves the picture, or when its
      centre moves by more than 0.6 of the face's size in one frame. After a cut to a face nearer
      than that to the last one's place, the id stays; `reset` starts afresh.
    - If one face passes in front of another, it keeps its id. The other one is lost, and comes back
      with a new id.
    - A frame of another size than the one before starts afresh.

    `process` is for one source of frames and one thread; give each source a tracker of its own.

    Examples:
        >>> import amesh
        >>> tracker = amesh.FaceTracker(max_faces=2)
        >>> image = amesh.read_image("photo.jpg")
        >>> for number in range(3):
        ...     faces = tracker.process(image, time=number / 30)
        >>> [face.id for face in faces]
        [0]
        >>> faces[0].landmarks.shape, faces[0].raw.shape  # with and without smoothing
        ((478, 3), (478, 3))
    """

    def __init__(
        self,
        model: str | Path | Runner = DEFAULT,
        runtime: str = formats.AUTO,
        detector: DetectorKind = "short",
        max_faces: int | None = 1,
        min_score: float = 0.5,
        smoothing: OneEuro | str | None = "mediapipe",
        detect_every: int = 10,
        threads: int = 1,
    ) -> None:
        """Loads the landmark network and the detector.

        Args:
            model: Name of installed weights, a weights file, or a runner of your own.
            runtime: What runs the network, as for `FaceMesh`.
            detector: What looks for new faces, as for `FaceMesh`.
            max_faces: Maximum number of faces to follow at once; None for all. The detector rests
                while so many are followed.
            min_score: A face below this confidence is lost.
            smoothing: `mediapipe`, as Face Landmarker smooths one face; `light`, for less lag;
                `strong`, for less jitter; `off`; or settings of your own.
            detect_every: Frames from one run of the detector to the next while fewer than
                `max_faces` faces are followed. After a loss it runs at once.
            threads: Threads of a CPU that each network may use.

        Raises:
            UserError: The weights are missing or damaged, or an option is wrong.
        """
        runner = as_runner(model, runtime, threads)
        finder = open_detector(detector, runtime, threads=threads)
        # One sample: in video, what it saves is worth more than the landmarks' last 0.1 %.
        pipeline = FacePipeline(runner, finder, max_faces, min_score, samples=1)
        super().__init__(pipeline, smoothing, detect_every)


class Frame(NamedTuple):
    """A frame of a video and the faces in it.

    Attributes:
        index: Its number in the source, from 0; a camera leaves out those that came too quickly.
        time: When it is shown, from the first frame [s].
        image: Its pixels, upright, RGB.
        faces: The faces, in the order of their ids.

    Examples:
        >>> [(frame.index, frame.time, len(frame.faces)) for frame in track("clip.mp4")]
        [(0, 0.0, 1), (1, 0.04, 1), (2, 0.08, 1)]
    """

    index: int  # type: ignore[assignment]  # tuples have a method of this name
    time: float
    image: UInt8[np.ndarray, "h w 3"]
    faces: list[Face]


def track(source: str | int | os.PathLike[str], **options: Any) -> Generator[Frame, None, None]:
    """Follows the faces of a video, a camera or a stream.

    Of a live source, the newest frame is taken, so a slow consumer sees fewer frames, not old ones.
    If a file is cut short, a warning says so after the last good frame. The source is closed after
    the last frame, and when the loop is left; if you keep the generator under a name, `close` it.

    Args:
        source: A file, an address such as `rtsp://host/stream`, or a camera: `cam:0` or 0.
        options: As for `FaceTracker`.

    Returns:
        The frames, with their faces.

    Raises:
        UserError: There is no such source, it holds no video, a package is missing, or an option is
            wrong.

    Examples:
        >>> for frame in track("clip.mp4", smoothing="light"):
        ...     for face in frame.faces:
        ...         print(face.id, face["right_iris"][0, :2].round().tolist())
        0 [204.0, 101.0]
        0 [204.0, 101.0]
        0 [204.0, 101.0]
    """
    return _tracked(FaceTracker(**options), open_source(source))


def _tracked(tracker: FaceTracker, source: Source) -> Generator[Frame, None, None]:
    with source:
        for index, time, image in source:
            yield Frame(index, time, image, tracker.process(image, time))
        if source.problem:
            warnings.warn(source.problem, stacklevel=2)
