"""The table of architectures: their names, and how to build each from its config.

Rows name classes as "module:class" and import them on use, so the command line can read it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from amesh.errors import UserError
from amesh.lazy import resolve

if TYPE_CHECKING:
    from torch import nn

# Architectures that predict landmarks, which training builds.
LandmarkArchitecture = Literal["AttentionMesh", "MeshOnly", "Cascade", "PlainMesh"]


@dataclass(frozen=True)
class Architecture:
    """A kind of network.

    Attributes:
        name: Name in weights files, checkpoints and sidecars.
        network: Its class, or a function that builds one from a config.
        config: Class of its config.
        option: Name on the command line; empty if it is not a network of the paper's family.
    """

    name: str
    network: str
    config: str = "amesh.nn.config:MeshConfig"
    option: str = ""

    def build(self, config: object) -> "nn.Module":
        """Builds a network with fresh weights.

        Args:
            config: Of this architecture's class, or a mapping with its fields.

        Raises:
            UserError: The config cannot be built.
        """
        if isinstance(config, Mapping):
            config = resolve(self.config).from_dict(config)
        try:
            net: nn.Module = resolve(self.network)(config)
        except UserError:
            raise
        except ValueError as error:  # parts that do not fit each other
            raise UserError(f"network config: {error}") from error
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
            "PlainMesh",
            "amesh.nn.plain_mesh:PlainMesh",
            config="amesh.nn.plain_config:PlainConfig",
        ),
        Architecture(
            "Detector",
            "amesh.blazeface.network:build_detector",
            config="amesh.blazeface.config:DetectorConfig",
        ),
    )
}


def options() -> tuple[str, ...]:
    """Names on the command line of the paper's networks, which share one config."""
    return tuple(row.option for row in ARCHITECTURES.values() if row.option)


def by_option(option: str) -> Architecture:
    """Finds an architecture by its name on the command line.

    Raises:
        UserError: There is none of that name.
    """
    for row in ARCHITECTURES.values():
        if option and row.option == option:
            return row
    raise UserError(f"no architecture {option!r}; choose one of {', '.join(options())}")
