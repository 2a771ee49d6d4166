"""What the configs of all landmark networks have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, TypeVar

from amesh.errors import UserError
from amesh.json_lines import convert
from amesh.topology import Region, Topology, load

# Far above what is of use, and far below what would fill the memory: a config may come from a file.
_WIDEST, _DEEPEST, _LARGEST = 512, 16, 1024
_Config = TypeVar("_Config", bound="NetworkConfig")


@dataclass(frozen=True)
class NetworkConfig:
    """The fields and facts that every landmark network's config has.

    Attributes:
        name: Name of the network.
        topology: Name or path of the landmark scheme.
        input_size: Side of the input [px].
    """

    name: str
    topology: str = "face478"
    input_size: int = 256

    def load_topology(self) -> Topology:
        """Loads the landmark scheme named by `topology`."""
        return load(self.topology)

    @property
    def refined_regions(self) -> tuple[Region, ...]:
        """The regions that are reported separately; a network may have a submodel for each."""
        return self.load_topology().regions

    @property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """Landmarks of each of these regions, and of their irises, by name, in output order."""
        return {name: points for r in self.refined_regions for name, points in r.outputs.items()}

    @property
    def mesh_indices(self) -> tuple[int, ...]:
        """Landmarks that the mesh head predicts, in output order."""
        return tuple(range(self.load_topology().points))

    @property
    def predicts_errors(self) -> bool:
        """Whether the network predicts the error of each landmark."""
        return False

    def check_image(self, shape: Sequence[int]) -> None:
        """Checks that the network can take images of this shape.

        Raises:
            UserError: The shape is not (b, 3, s, s), where s is the network's input size.
        """
        size = self.input_size
        if len(shape) != 4 or tuple(shape[1:]) != (3, size, size):
            raise UserError(
                f"{self.name} takes images of shape (b, 3, {size}, {size}), found {tuple(shape)}; "
                f"resize the crops to {size} x {size} px"
            )

    def to_dict(self) -> dict[str, Any]:
        """Converts the config to plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls: type[_Config], data: Mapping[str, Any]) -> _Config:
        """Restores the config that `to_dict` wrote.

        Raises:
            UserError: A field is unknown or of another type, or the network cannot be built.
        """
        return convert(data, cls, "network config")


def check_widths(where: str, widths: Sequence[int], count: int) -> None:
    """Checks the channels of a backbone.

    Raises:
        UserError: There are not `count` of them, they decrease, or they are too many to build.
    """
    if len(widths) != count or widths[0] < 1 or any(a > b for a, b in pairwise(widths)):
        raise UserError(f"{where}: widths {list(widths)}; expected {count} that never decrease")
    if widths[-1] > _WIDEST:
        raise UserError(f"{where}: widths {list(widths)}; at most {_WIDEST} channels can be built")


def check_depth(where: str, depth: int) -> None:
    """Checks the number of blocks at one size.

    Raises:
        UserError: It is negative, or too many to build.
    """
    if not 0 <= depth <= _DEEPEST:
        raise UserError(f"{where}: depth {depth}; expected 0 to {_DEEPEST} blocks")


def check_head_width(where: str, width: int, field: str = "head_width") -> None:
    """Checks the channels before a head's last convolution.

    Raises:
        UserError: There are none, or too many to build.
    """
    if not 1 <= width <= _WIDEST:
        raise UserError(f"{where}: {field} {width}; expected 1 to {_WIDEST} channels")


def check_size(where: str, field: str, size: int, stride: int) -> None:
    """Checks the side of an input or a crop.

    Raises:
        UserError: It is not a multiple of `stride`, or too large.
    """
    if size > _LARGEST:
        raise UserError(f"{where}: {field} {size} is above {_LARGEST}")
    if size < stride or size % stride:
        raise UserError(f"{where}: {field} {size} is not a multiple of {stride}")
