"""The table of architectures: what they are called, and how to build one from its config.

Rows name classes as "module:class" and import them on use, so the command line can read it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from amesh.errors import UserError
from amesh.lazy import resolve

if TYPE_CHECKING:
    from torch import nn

# Those that predict landmarks: what training builds and `amesh export` writes.
LandmarkArchitecture = Literal["AttentionMesh", "MeshOnly", "Cascade"]


@dataclass(frozen=True)
class Architecture:
    """A kind of network.

    Attributes:
        name: In weights files, checkpoints and sidecars.
        network: Its class, or the function that builds one from a config.
        config: The class of its config.
        option: What the command line calls it; empty for one that predicts no landmarks.
    """

    name: str
    network: str
    config: str = "amesh.nn.config:MeshConfig"
    option: str = ""

    def build(self, config: object) -> "nn.Module":
        """A network with fresh weights.

        Args:
            config: Of this architecture's class, or a mapping with its fields.

        Raises:
            UserError: The config cannot be built.
        """
        if isinstance(config, Mapping):
            config = resolve(self.config).from_dict(config)
        net: nn.Module = resolve(self.network)(config)
        return net


ARCHITECTURES: Mapping[str, Architecture] = {
    row.name: row
    for row in (
        Architecture(
            "AttentionMesh", "amesh.nn.attention_mesh:AttentionMesh", option="attention_mesh"
        ),
        Architecture("MeshOnly", "amesh.nn.mesh_only:MeshOnly", option="mesh_only"),
        Architecture("Cascade", "amesh.nn.cascade:Cascade", option="cascade"),
        Architecture(
            "Detector", "amesh.blazeface:build_detector", config="amesh.blazeface:DetectorConfig"
        ),
    )
}


def options() -> tuple[str, ...]:
    """What the command line calls the architectures that predict landmarks."""
    return tuple(row.option for row in ARCHITECTURES.values() if row.option)


def by_option(option: str) -> Architecture:
    """The architecture that the command line calls so.

    Raises:
        UserError: There is none.
    """
    for row in ARCHITECTURES.values():
        if option and row.option == option:
            return row
    raise UserError(f"no architecture {option!r}; choose one of {', '.join(options())}")
