"""Settings of synthetic faces: ranges and probabilities."""

from dataclasses import dataclass, fields

from amesh.errors import UserError

_CHANCES = (
    *("closed", "lids", "lips", "hair", "glasses", "beard", "hand", "mask", "make_up"),
    "behind",
)
_DEGREES = {"yaw": 85.0, "pitch": 60.0, "roll": 180.0, "gaze": 45.0}


@dataclass(frozen=True)
class SynthConfig:
    """Ranges and probabilities; every range is bounded.

    Attributes:
        face: Smallest and largest ratio of the face's box (longer side) to the picture's side.
        shift: Largest distance of the face from the picture's centre [sides of the picture].
        yaw: Largest turn to either side [degrees]; small turns are more likely, as for all angles.
        pitch: Largest nod up or down [degrees].
        roll: Largest tilt in either direction [degrees].
        fov: Smallest and largest angle that the picture's side spans [degrees].
        shape: Strength of the modes of shape; 1 is as measured.
        expression: Strength of expressions; 1 is as measured.
        colour: Strength of the modes of colour; 1 is as measured.
        gaze: Largest rotation of the eyes [degrees].
        closed: Probability of closed eyes; half as many more are half closed, or wink.
        lids: Probability of lids at any closure instead: a third of these faces have closed eyes,
            a quarter close their eyes unequally, and half raise the lower lids, as in a squint.
        lips: Probability of a strong expression of the mouth: pursed, rolled, wide open, ...
        hair: Probability of hair.
        glasses: Probability of glasses, a third of them dark.
        beard: Probability of a beard or stubble.
        make_up: Probability of coloured lips and lids.
        hand: Probability of a hand or another object in front of the face.
        mask: Probability of a medical mask.
        behind: Probability of a head seen from behind, which is no face.
        noise: Largest standard deviation of the sensor's noise [of full scale].
        blur: Largest standard deviation of the lens's blur [of the face's box].
    """

    face: tuple[float, float] = (0.42, 0.58)
    shift: float = 0.03
    yaw: float = 75.0
    pitch: float = 40.0
    roll: float = 15.0
    fov: tuple[float, float] = (10.0, 60.0)
    shape: float = 1.0
    expression: float = 1.0
    colour: float = 0.8
    gaze: float = 30.0
    closed: float = 0.06
    lids: float = 0.0
    lips: float = 0.0
    hair: float = 0.94
    glasses: float = 0.15
    beard: float = 0.2
    make_up: float = 0.25
    hand: float = 0.1
    mask: float = 0.03
    behind: float = 0.0
    noise: float = 0.025
    blur: float = 0.012

    @property
    def changes(self) -> str:
        """What differs from the defaults, as in `lids=0.5,lips=0.3`; empty where nothing does."""
        mine = ((field, getattr(self, field.name)) for field in fields(self))
        return ",".join(f"{field.name}={value}" for field, value in mine if value != field.default)

    def __post_init__(self) -> None:
        limits: dict[str, tuple[float, float]] = {
            **dict.fromkeys(_CHANCES, (0.0, 1.0)),
            **{name: (0.0, limit) for name, limit in _DEGREES.items()},
            **dict.fromkeys(("shape", "expression", "colour"), (0.0, 2.0)),
            "face": (0.05, 1.0),
            "fov": (1.0, 100.0),
            "shift": (0.0, 0.5),
            "noise": (0.0, 0.5),
            "blur": (0.0, 0.1),
        }
        for field in fields(self):
            value = getattr(self, field.name)
            low, high = limits[field.name]
            pair = value if isinstance(value, tuple) else (value, value)
            if len(pair) != 2 or not low <= pair[0] <= pair[1] <= high:
                kind = "two numbers, the smaller first," if isinstance(value, tuple) else "a number"
                raise UserError(
                    f"synthetic faces: {field.name} is {value}, expected {kind} from {low:g} to "
                    f"{high:g}"
                )
