"""Ranges of the augmentation. Each range is bounded, and 0 switches its augmentation off."""

import math
from dataclasses import dataclass, fields

from amesh.errors import UserError


@dataclass(frozen=True)
class AugmentConfig:
    """Ranges of the augmentation; see `amesh.data.augment.geometric`.

    Attributes:
        rotation: Largest roll of the crop in either direction [degrees]; small ones are more
            likely.
        scale: Largest change of its size, as a logarithm: 0.2 is about a fifth larger or smaller.
        shift: Largest shift along each axis [sides of the crop].
        perspective: Largest relative difference in scale between the crop's centre and an edge.
        mirror: Probability of mirroring.
        lids: Probability of closing the open eyes of a face, to any degree, alike or unequally.
        gain: Largest change of exposure, as a logarithm; each colour channel adds up to half of it.
        curve: Largest bend of the intensity curve: brighter or darker midtones, and contrast.
        grey: Probability of removing colour.
        noise: Largest standard deviation of camera noise on a black pixel [of full scale];
            brighter pixels get more.
        blur_chance: Probability of blur.
        blur: Largest standard deviation of the blur along each axis [crop px].
        compression_chance: Probability of block compression.
        compression: Four times its coarsest quantisation step of a block's mean [of full scale].
        occluder_chance: Probability of each of two occluders.
        occluder: Largest radius of an occluder [sides of the crop].
        extreme: Probability of light or blur at the limit of what shows a face, or beyond it: such
            a sample then counts as one without a face.
    """

    rotation: float = 25.0
    scale: float = 0.2
    shift: float = 0.12
    perspective: float = 0.08
    mirror: float = 0.5
    lids: float = 0.0
    gain: float = 0.3
    curve: float = 0.3
    grey: float = 0.05
    noise: float = 0.03
    blur_chance: float = 0.25
    blur: float = 2.0
    compression_chance: float = 0.25
    compression: float = 0.15
    occluder_chance: float = 0.2
    occluder: float = 0.25
    extreme: float = 0.0

    def __post_init__(self) -> None:
        limits = {"rotation": 180.0, "scale": 1.0, "shift": 0.5, "perspective": 0.2, "curve": 0.5}
        for field in fields(self):
            value = getattr(self, field.name)
            highest = limits.get(field.name, 4.0 if field.name == "blur" else 1.0)
            if not 0.0 <= value <= highest:
                raise UserError(f"augmentation: {field.name} is {value}, expected 0 to {highest:g}")

    @property
    def reach(self) -> float:
        """Side of the upright square that contains every augmented crop, relative to the crop.

        The cut-out of a sample has this size, so that no augmentation reads beyond it. The head,
        and with it the crop, may be rolled by any angle: hence the diagonal.
        """
        stretched = math.exp(self.scale) / (1.0 - 2.0 * self.perspective)
        return math.sqrt(2.0) * stretched + 2.0 * self.shift


# Crops exactly around the labelled face, for validation and for the ideal crops of phase 1.
NO_AUGMENTATION = AugmentConfig(**{field.name: 0.0 for field in fields(AugmentConfig)})
