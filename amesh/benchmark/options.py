"""Settings of `amesh benchmark`. The command line builds its options from them: no torch here."""

from dataclasses import dataclass
from pathlib import Path

from amesh.deploy.formats import Precision
from amesh.errors import UserError
from amesh.nn.names import DEFAULT


@dataclass(frozen=True)
class Benchmark:
    """Networks to time.

    Attributes:
        model: Member of the network family to time, or face-landmarker-v2, which is timed with the
            default member; weights do not matter.
        runtimes: Runtimes to time.
        precisions: Precisions of the exported files.
        threads: Numbers of threads per call.
        batches: Batch sizes [faces].
        rounds: Calls of each network; the tables give their median.
        google: Also time the cascade of networks in this mediapipe wheel.
        output: Folder for the tables.
    """

    model: str = DEFAULT
    runtimes: tuple[str, ...] = ("torch", "onnx")
    precisions: tuple[Precision, ...] = ("fp32",)
    threads: tuple[int, ...] = (1,)
    batches: tuple[int, ...] = (1,)
    rounds: int = 50
    google: Path | None = None
    output: Path = Path("benchmark")

    def __post_init__(self) -> None:
        """Validates the settings.

        Raises:
            UserError: A number is below 1.
        """
        numbers = {"threads": self.threads, "batch": self.batches, "rounds": (self.rounds,)}
        for name, values in numbers.items():
            for value in values:
                if value < 1:
                    raise UserError(f"{name} must be 1 or more, found {value}")
