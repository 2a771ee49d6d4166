"""Settings of `amesh label`. The command line builds its options from them, so no torch here."""

from dataclasses import dataclass

from amesh.errors import UserError

# Below this, the cut may not contain the network's own rotated region.
_SMALLEST_CUT = 2.0


@dataclass(frozen=True)
class LabelConfig:
    """Which faces to keep, and how to store them.

    Attributes:
        min_score: Drop faces whose confidence is below this.
        min_face: Drop faces smaller than this [px], by the longer side of the landmarks' box. Below
            about 50 px, the views can agree on landmarks that are wrong at higher resolution.
        max_disagreement: Drop faces whose views disagree by more than this mean distance over all
            landmarks [face sizes]. Most of them are profiles, whose hidden half is guessed.
        every: Label every N-th frame of a video.
        cut: Cut a picture whose longer side exceeds K faces down to K faces around each face. The
            widest augmentation of training reaches 3.5; 0 never cuts.
        faces_per_shard: Start a new shard after the picture that reaches this number of faces.
        retry: Retry inputs that gave no face in earlier runs.
    """

    min_score: float = 0.5
    min_face: float = 48.0
    max_disagreement: float = 0.025
    every: int = 10
    cut: float = 4.0
    faces_per_shard: int = 1000
    retry: bool = False

    @property
    def rules(self) -> dict[str, float]:
        """The settings that must be the same for all faces in a folder."""
        names = ("cut", "min_score", "min_face", "max_disagreement")
        return {name: float(getattr(self, name)) for name in names}

    def __post_init__(self) -> None:
        """Validates the settings.

        Raises:
            UserError: A number is out of range.
        """
        for name in ("min_face", "max_disagreement", "cut"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise UserError(f"{name} must be 0 or more, found {value:g}")
        for name in ("every", "faces_per_shard"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be 1 or more, found {getattr(self, name)}")
        if 0 < self.cut < _SMALLEST_CUT:
            raise UserError(
                f"cut is {self.cut:g} faces, which leaves too little around a face; expected 0 "
                f"(never cut), or {_SMALLEST_CUT:g} or more"
            )
