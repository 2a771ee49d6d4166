"""The teacher: one or more landmark networks that each predict every face in several views."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from amesh.data.correction import Correction
from amesh.data.label_weights import weight
from amesh.errors import UserError
from amesh.geometry.roi import Roi
from amesh.labelling.consensus import consensus
from amesh.labelling.views import ViewConfig, make_views, to_picture
from amesh.labelling.vote import Vote, yaw
from amesh.pipeline.crops import crop_image
from amesh.pipeline.face_pipeline import Face, FacePipeline
from amesh.runner import Runner, confidence

# For faces that fill the picture: search margin relative to the longer side, and that side [px].
_MARGIN, _SEARCHED = 0.25, 1024


@dataclass(frozen=True, eq=False)
class TeacherFace:
    """A teacher's labels for one face.

    Attributes:
        landmarks: (n, 3) [picture px]; z in the same unit, smaller is nearer.
        weight_xy: (n,) weight of x and y.
        weight_z: (n,) weight of z.
        score: Confidence that it is a face, averaged over the views, by weight.
        disagreement: Mean spread of the views over all landmarks [face sizes].
        size: Longer side of the landmarks' box [picture px].
    """

    landmarks: Float32[np.ndarray, "n 3"]
    weight_xy: Float32[np.ndarray, " n"]
    weight_z: Float32[np.ndarray, " n"]
    score: float
    disagreement: float
    size: float


@dataclass(frozen=True, eq=False)
class Member:
    """One network of a teacher.

    Attributes:
        runner: The network.
        correction: Correction of its systematic errors, if known.
        vote: How much it counts.
    """

    runner: Runner
    correction: Correction | None = None
    vote: Vote = field(default_factory=Vote)


class Teacher:
    """Labels the faces of a picture."""

    def __init__(
        self,
        pipeline: FacePipeline,
        views: ViewConfig | None = None,
        correction: Correction | None = None,
        others: Sequence[Member] = (),
    ) -> None:
        """Assembles the teacher.

        Args:
            pipeline: Finds the faces; its network is the first member.
            views: The views of each face that every member gets.
            correction: Correction of the pipeline network's systematic errors, if known.
            others: Further members; labels are the consensus of all.

        Raises:
            UserError: A member or a correction is for another topology, or a member has a weight
                for a part that the topology lacks.
        """
        self.pipeline, self.views = pipeline, views or ViewConfig()
        self.members = (Member(pipeline.runner, correction), *others)
        topology = pipeline.runner.topology
        for member in self.members:
            if member.runner.topology.name != topology.name:
                raise UserError(
                    f"{member.runner.name} is for {member.runner.topology.name}, but "
                    f"{pipeline.runner.name} is for {topology.name}; they cannot label together"
                )
            if member.correction is not None:
                member.correction.check(topology)
        self.topology, self.scheme = topology, topology.name
        self._weights = [member.vote.of_parts(topology) for member in self.members]
        self.mirror = np.array(topology.mirror)
        self.eyes = np.zeros(topology.points, bool)
        for region in topology.regions:
            if region.iris is not None:
                self.eyes[[*region.indices, *region.iris.indices]] = True

    def __call__(self, image: UInt8[np.ndarray, "h w 3"]) -> list[TeacherFace]:
        """Labels the faces of an RGB picture, in the detector's order, best first."""
        faces = self.pipeline(image) or self._search_with_margin(image)
        return [self._label(image, face) for face in faces]

    def _search_with_margin(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Face]:
        """Searches with a black margin for faces that fill the picture, which detectors miss."""
        height, width = image.shape[:2]
        scale = min(1.0, _SEARCHED / max(height, width))
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        margin = int(max(size) * _MARGIN)
        framed = np.pad(small, ((margin, margin), (margin, margin), (0, 0)))
        whole = np.array([width / size[0], height / size[1], 1 / scale], np.float32)
        shift = np.array([margin, margin, 0], np.float32)
        found = self.pipeline(framed)
        return [replace(face, landmarks=(face.landmarks - shift) * whole) for face in found]

    def _label(self, image: UInt8[np.ndarray, "h w 3"], face: Face) -> TeacherFace:
        region = self.topology.region_of_interest(face.landmarks[None].astype(np.float64))
        looks = [self._answers(image, region, member) for member in self.members]
        answers = np.concatenate([answers for answers, _ in looks])
        turned = yaw(consensus(answers).landmarks, self.topology)
        weights = [
            np.tile(weights * member.vote.at(turned), (len(answers), 1))
            for (answers, _), weights, member in zip(
                looks, self._weights, self.members, strict=True
            )
        ]
        agreed = consensus(answers, np.concatenate(weights))
        flags = [confidence(logits).mean() for _, logits in looks]
        return TeacherFace(
            landmarks=agreed.landmarks.astype(np.float32),
            weight_xy=weight(agreed.spread_xy).astype(np.float32),
            weight_z=weight(agreed.spread_z).astype(np.float32),
            score=float(np.average(flags, weights=[one.vote.flag for one in self.members])),
            disagreement=float(agreed.spread_xy.mean()),
            size=agreed.size,
        )

    def _answers(
        self, image: UInt8[np.ndarray, "h w 3"], region: Roi, member: Member
    ) -> tuple[Float[np.ndarray, "v n 3"], Float[np.ndarray, " f"]]:
        """A member's corrected landmarks in all views, and its face flags."""
        answers, logits = self._look(image, region, member.runner, 1.0)
        if self.eyes.any():
            # Depth stays that of the whole face: closer views imply another distance.
            closer, more = self._look(image, region, member.runner, self.views.eyes)
            answers[:, self.eyes, :2] = closer[:, self.eyes, :2]
            logits = np.concatenate([logits, more])
        if member.correction is not None:
            # One shift for all views: a single view may get the face's axes wrong.
            seen = consensus(answers).landmarks
            answers += member.correction(seen, self.topology) - seen
        return answers, logits

    def _look(
        self, image: UInt8[np.ndarray, "h w 3"], region: Roi, runner: Runner, closer: float
    ) -> tuple[Float[np.ndarray, "v n 3"], Float[np.ndarray, " v"]]:
        """Predicts landmarks in the picture, and face flags, of all views in one batch."""
        size = runner.input_size
        views = make_views(region, self.views, size, closer)
        crops = np.stack([crop_image(image, cut, size) for cut in views.image_from_crop])
        output = runner(crops.astype(np.float32) / np.float32(255.0))
        return to_picture(output.landmarks, views, self.mirror), output.face_flag
