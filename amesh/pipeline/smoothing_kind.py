"""Names of the settings for smoothing, apart from the filter, so that `--help` needs no NumPy."""

from typing import Literal, TypeAlias

SmoothingKind: TypeAlias = Literal["mediapipe", "light", "strong", "off"]
