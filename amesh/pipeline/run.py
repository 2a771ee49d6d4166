"""Runs on pictures and videos: one result per picture or frame, and overlays on request."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from amesh.data.loading.limits import MAX_PIXELS
from amesh.errors import UserError
from amesh.pipeline.face_pipeline import Face, FacePipeline
from amesh.pipeline.frames import Source, VideoFrame
from amesh.pipeline.images import read_image, reading_cost
from amesh.pipeline.inputs import Picture
from amesh.pipeline.overlays import Overlays
from amesh.pipeline.parallel import in_order
from amesh.pipeline.results import PictureResult, picture_result


def run_pictures(
    pipeline: FacePipeline,
    inputs: Sequence[Picture],
    overlays: Overlays | None = None,
    max_pixels: int = MAX_PIXELS,
    before: int = 0,
    workers: int = 1,
) -> Iterator[PictureResult]:
    """Runs on pictures; an unreadable picture becomes a result with `error`.

    Args:
        pipeline: Finds the faces.
        inputs: The pictures.
        overlays: Writes overlays.
        max_pixels: Pictures with more pixels are not read.
        before: Pictures done by an earlier run, for the progress bar.
        workers: Pictures that are processed at the same time, on a thread each.

    Yields:
        Results, in order.

    Raises:
        UserError: An overlay cannot be written.
    """

    def result(picture: Picture) -> PictureResult:
        return _run_picture(pipeline, picture, overlays, max_pixels)

    def cost(picture: Picture) -> int:
        return 0 if picture.problem else reading_cost(picture.path, max_pixels)

    threads = max(1, min(workers, len(inputs)))
    with closing(in_order(result, inputs, threads, cost, max_pixels)) as results:
        yield from tqdm(
            results,
            unit="picture",
            initial=before,
            total=before + len(inputs),
            disable=len(inputs) < 2 or not sys.stderr.isatty(),
        )


def _run_picture(
    pipeline: FacePipeline, picture: Picture, overlays: Overlays | None, max_pixels: int
) -> PictureResult:
    if picture.problem:
        return picture_result(picture.name, error=picture.problem)
    try:
        image = read_image(picture.path, max_pixels)
    except UserError as error:
        return picture_result(picture.name, error=str(error))
    try:
        faces = pipeline(image)
        if overlays is not None:
            overlays.write(picture, image, faces, pipeline.runner.topology)
    except MemoryError:
        return picture_result(picture.name, error=f"{picture.path}: not enough memory for it")
    height, width = image.shape[:2]
    return picture_result(picture.name, size=(width, height), faces=faces)


def run_video(
    process: Callable[[UInt8[np.ndarray, "h w 3"], float], Sequence[Face]],
    name: str,
    source: Source,
    watchers: Sequence[Callable[[VideoFrame, Sequence[Face]], None]] = (),
) -> Iterator[PictureResult]:
    """Runs on the frames of a video, one by one.

    If it breaks off, the last result has an `error`, the number that the next frame would have had,
    and the time of the last one.

    Args:
        process: Finds the faces of the next frame, from its pixels and its time [s].
        name: The source's name in the results.
        source: The video.
        watchers: Receive each frame and its faces, in this order.

    Yields:
        Results, in order.

    Raises:
        UserError: An overlay cannot be written.
    """
    frames, index, time, problem = iter(source), -1, 0.0, ""
    with tqdm(desc=name, unit="frame", total=source.frames, disable=not sys.stderr.isatty()) as bar:
        while True:
            try:
                frame = next(frames)
            except StopIteration:
                problem = source.problem
                break
            except UserError as error:
                problem = str(error)
                break
            except MemoryError:
                problem = f"{source.name}: not enough memory for its frames"
                break
            index, time, image = frame
            faces = process(image, time)
            for watch in watchers:
                watch(frame, faces)
            height, width = image.shape[:2]
            yield picture_result(name, index, time, (width, height), faces)
            bar.update()
    if problem:
        yield picture_result(name, index + 1, time, error=problem)
