"""The face detectors by name, apart from their code so that the command line reads it at once."""

from typing import Literal

# The first, and the second where that finds no large face; for faces near the camera; for smaller
# ones; always both; both, and also on tiles of the picture.
DetectorKind = Literal["auto", "short", "full", "both", "crowd"]
