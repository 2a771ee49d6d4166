"""The plain mesh as data: its sizes, in one frozen dataclass."""

from dataclasses import dataclass

from amesh.errors import UserError
from amesh.nn.network_config import NetworkConfig, check_depth, check_size, check_widths

# The head sees the input at 1/128.
PLAIN_STRIDE = 128


@dataclass(frozen=True)
class PlainConfig(NetworkConfig):
    """A plain mesh. Defaults are the sizes of the network in Google's Face Landmarker V2.

    Attributes:
        name: Name of the network.
        topology: Name or path of the landmark scheme.
        input_size: Side of the input [px].
        widths: Channels after each of the seven halvings. Inside a block there are half as many.
        depth: Bottleneck blocks at each size.

    Examples:
        >>> PlainConfig(input_size=200)
        Traceback (most recent call last):
        ...
        amesh.errors.UserError: face-landmarker-v2: input_size 200 is not a multiple of 128

    Raises:
        UserError: A size is not divisible as required or too large, or there is no such topology.
    """

    name: str = "face-landmarker-v2"
    widths: tuple[int, int, int, int, int, int, int] = (16, 32, 64, 128, 128, 128, 128)
    depth: int = 4

    def __post_init__(self) -> None:
        """Rejects configurations that cannot be built."""
        check_widths(self.name, self.widths, 7)
        if odd := [width for width in self.widths if width % 2]:
            raise UserError(f"{self.name}: width {odd[0]} is odd; a bottleneck has half of it")
        check_depth(self.name, self.depth)
        check_size(self.name, "input_size", self.input_size, PLAIN_STRIDE)
        self.load_topology()
