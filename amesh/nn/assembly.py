"""Combines the mesh and the refined regions into all landmarks."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from amesh.geometry.picking import pick
from amesh.nn.config import MeshConfig


class Assembly(nn.Module):
    """Replaces x and y of the mesh by those of the regions; z always comes from the mesh.

    If the mesh head does not predict the irises, each takes the mean z of its eye's outline.
    """

    xy_rows: Tensor
    z_rows: Tensor

    def __init__(self, config: MeshConfig) -> None:
        """Determines which prediction each landmark is taken from."""
        super().__init__()
        rows = {landmark: row for row, landmark in enumerate(config.mesh_indices)}
        self.names = list(config.outputs)
        # Rows of x and y: the mesh, then the regions' outputs in order; the last one wins.
        refined = [landmark for points in config.outputs.values() for landmark in points]
        xy_rows = rows | {landmark: row for row, landmark in enumerate(refined, start=len(rows))}
        # Rows of z: the mesh, then one mean per iris that the mesh does not predict.
        z_rows = dict(rows)
        self.z_sources: list[list[int]] = []
        if not config.mesh_irises:
            irises = [region.iris for region in config.refined_regions if region.iris]
            for row, iris in enumerate(irises, start=len(rows)):
                self.z_sources.append([rows[landmark] for landmark in iris.z_from])
                z_rows |= dict.fromkeys(iris.indices, row)
        order = range(config.load_topology().points)
        self.register_buffer("xy_rows", torch.tensor([xy_rows[i] for i in order]), persistent=False)
        self.register_buffer("z_rows", torch.tensor([z_rows[i] for i in order]), persistent=False)

    def forward(
        self, mesh: Float[Tensor, "b m 3"], regions: dict[str, Float[Tensor, "b k 2"]]
    ) -> Float[Tensor, "b n 3"]:
        """Returns all landmarks, with the regions refined."""
        xy = torch.cat([mesh[..., :2], *(regions[name] for name in self.names)], dim=1)
        return torch.cat([xy.index_select(1, self.xy_rows), self._z(mesh)], dim=-1)

    def spread(self, mesh: Float[Tensor, "b m 3"]) -> Float[Tensor, "b n 3"]:
        """Returns the mesh's own points in landmark order, without refinement.

        Irises that the mesh does not predict are filled with the mesh's first point, which is
        harmless because region normalisation never reads them.
        """
        rows = self.z_rows.clamp(max=mesh.shape[1] - 1)
        return mesh.index_select(1, rows)

    def _z(self, mesh: Tensor) -> Float[Tensor, "b n 1"]:
        z = mesh[..., 2:]
        means = [pick(z, source).mean(1, keepdim=True) for source in self.z_sources]
        return torch.cat([z, *means], dim=1).index_select(1, self.z_rows)
