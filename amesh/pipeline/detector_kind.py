"""The face detectors by name, apart from their code so that the command line reads it at once."""

from typing import Literal

# For faces near the camera; for smaller ones; both; both, and also on tiles of the picture.
DetectorKind = Literal["short", "full", "both", "crowd"]
