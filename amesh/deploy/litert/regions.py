"""A mesh with refined regions as a TFLite graph: Attention Mesh, or a whole cascade.

Three rewrites keep the graph short; all are exact up to rounding:

- The mesh head's last convolution computes only what is used, in the order in which it is used:
  z of all landmarks (for an iris, the mean of its eye's outline), x and y of those that no region
  replaces, and the inputs of region normalisation. The face flag is one more of its outputs.
- Regions of equal structure run as lanes; see `amesh.deploy.litert.blocks`.
- One gather at the end puts every number in its place.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import NamedTuple, cast

import numpy as np

from amesh.deploy.litert.attention import (
    HeadRows,
    as_rows,
    box_frames,
    corner_frames,
    sample,
)
from amesh.deploy.litert.blocks import (
    bias_of,
    branch_points,
    expected_error,
    head_features,
    kernel_of,
    lanes_of,
    mesh_features,
    mesh_stages,
    sequence,
    shared_map,
)
from amesh.deploy.litert.flatbuffer import Value
from amesh.deploy.litert.operators import OperatorGraph
from amesh.deploy.signature import EXPECTED_ERROR, NUMBERS
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.cascade import Cascade, RegionNetwork
from amesh.nn.config import SHARED_STRIDE
from amesh.nn.region_submodel import Branch, RegionSubmodel


class Refined:
    """A mesh with refined regions, while its graph is being built.

    Every number that the graph computes has a position in one long vector: first the mesh head's
    outputs, then the regions' x and y. `self.places` has the positions of each landmark's x, y, z.
    """

    def __init__(self, graph: OperatorGraph, net: AttentionMesh | Cascade) -> None:
        self.graph, self.net, self.config = graph, net, net.config
        self.regions = net.config.refined_regions
        self.landmarks = net.config.load_topology().points
        self.rows = HeadRows()
        self.row_of = {landmark: row for row, landmark in enumerate(net.config.mesh_indices)}
        points = net.mesh.head.points
        kernel, bias = kernel_of(points), bias_of(points)
        self.kernel = kernel.reshape(-1, 3, *kernel.shape[1:])  # m 3 h w i
        self.bias = bias.reshape(-1, 3)
        self.places = np.full((self.landmarks, 3), -1)
        self.starts: dict[str, tuple[int, int]] = {}  # of each output's x and y

    def add(self, image: Value, gather: bool = True) -> dict[str, Value]:
        """Adds the whole network: `landmarks` (b n 3), `face_flag` (b), `expected_error` (b n).

        Args:
            image: The input.
            gather: Whether the graph puts every number in its place. Otherwise `numbers` (b k), the
                long vector, takes the place of `landmarks`.
        """
        graph, net = self.graph, self.net
        shared = shared_map(graph, net, image)
        # The GPU delegate cannot use a picture's three channels as a group, but it can use four.
        seen = shared if isinstance(net, AttentionMesh) else graph.pad_channels(image, 1)
        # Reshaped here, not where the rows are read, while the map is still in the CPU's cache.
        pixels = as_rows(graph, seen)
        deep = mesh_stages(graph, net, shared)
        features = mesh_features(graph, net, deep)
        flag = self.rows.add(kernel_of(net.mesh.face_flag), bias_of(net.mesh.face_flag))
        self._place_mesh()
        groups = self._groups()
        frame_rows = [self._add_frame_rows(group) for group in groups]
        head = self.rows.convolve(graph, features)
        numbers, count = [head], self.rows.count
        for i, (group, starts) in enumerate(zip(groups, frame_rows, strict=True)):
            with graph.scope(f"regions_{i}" if len(groups) > 1 else "regions"):
                frames = self._frames(group, head, starts)
                crops = self._crops(pixels, seen.shape[1], frames)
                numbers.append(self._refine(group, crops, frames, count))
            count += numbers[-1].shape[1]
        # In the config's order, regardless of the groups: if two regions share a landmark, the
        # later one wins.
        for name, points in self.config.outputs.items():
            for axis, first in enumerate(self.starts[name]):
                self.places[list(points), axis] = first + np.arange(len(points))
        b = image.shape[0]
        everything = graph.concatenate(numbers, axis=1)
        outputs = {NUMBERS: everything}
        if gather:
            order = graph.constant(self.places.reshape(-1).astype(np.int32), "places")
            landmarks = graph.gather(everything, order, axis=1)
            outputs = {"landmarks": graph.reshape(landmarks, (b, self.landmarks, 3))}
        outputs["face_flag"] = graph.reshape(graph.slice(head, 1, flag, flag + 1), (b,))
        if net.mesh.error_head is not None:
            outputs[EXPECTED_ERROR] = expected_error(graph, net.mesh.error_head, deep)
        return outputs

    def _groups(self) -> list[list[int]]:
        """Groups the regions that can run as lanes: those of equal capacity."""
        groups: dict[object, list[int]] = {}
        for i, region in enumerate(self.regions):
            groups.setdefault(self.config.region(region.name).capacity, []).append(i)
        return list(groups.values())

    def _place_mesh(self) -> None:
        """Adds the mesh head's rows that become landmarks."""
        refined = {i for points in self.config.outputs.values() for i in points}
        means = {i: r.iris.z_from for r in self.regions if r.iris for i in r.iris.indices}
        for landmark in range(self.landmarks):
            if landmark not in refined:
                start = self._add_rows([({landmark: 1.0}, axis) for axis in (0, 1)])
                self.places[landmark, :2] = start, start + 1
            source = (landmark,) if landmark in self.row_of else means[landmark]
            self.places[landmark, 2] = self._add_rows([(dict.fromkeys(source, 1 / len(source)), 2)])

    def _add_rows(self, sums: Sequence[tuple[Mapping[int, float], int]]) -> int:
        """Adds weighted sums of landmarks' coordinates, each with its weights and axis.

        Returns:
            Index of the first one.
        """
        kernels, biases = [], []
        for weights, axis in sums:
            rows = [self.row_of[landmark] for landmark in weights]
            factors = np.array(list(weights.values()), np.float32)
            kernels.append(np.tensordot(factors, self.kernel[rows, axis], 1))
            biases.append(factors @ self.bias[rows, axis])
        return self.rows.add(np.stack(kernels), np.array(biases, np.float32))

    def _add_frame_rows(self, group: Sequence[int]) -> list[int]:
        """Adds the rows from which the frames of these regions are computed."""
        regions = [self.regions[i] for i in group]
        if self.config.crop_source == "regressed":
            assert isinstance(self.net, AttentionMesh)
            half = self.config.input_size / 2
            wanted = np.arange(6 * len(self.regions)).reshape(-1, 6)[group].reshape(-1)
            bias = bias_of(self.net.theta)[wanted] + np.tile([0, 0, 1], len(wanted) // 3)
            kernel = kernel_of(self.net.theta)[wanted] * half
            return [self.rows.add(kernel, (bias * half).astype(np.float32))]
        axes, anchors = (0, 1), [region.anchors for region in regions]
        starts = [self._add_rows([({b: 1.0, a: -1.0}, axis) for a, b in anchors for axis in axes])]
        if self.config.theta_rule == "corners":
            middles = [({a: 0.5, b: 0.5}, axis) for a, b in anchors for axis in axes]
            return [*starts, self._add_rows(middles)]
        longest = max(len(region.indices) for region in regions)
        for_box = [
            ({landmark: 1.0}, axis)
            for region in regions
            for axis in axes
            for landmark in islice(cycle(region.indices), longest)
        ]
        return [*starts, self._add_rows(for_box)]

    def _frames(self, group: Sequence[int], head: Value, starts: Sequence[int]) -> Value:
        """Computes the frames of these regions, (b r 2 3)."""
        graph, r = self.graph, len(group)
        b, size = head.shape[0], self.config.input_size

        def take(start: int, width: int) -> Value:
            values = graph.slice(head, 1, start, start + 2 * r * width)
            return graph.reshape(values, (b, r, 2, width))

        if self.config.crop_source == "regressed":
            return take(starts[0], 3)
        lines = take(starts[0], 1)
        if self.config.theta_rule == "corners":
            rules = [self.net.normaliser.frames[i] for i in group]
            return corner_frames(graph, take(starts[1], 1), lines, rules, size)
        longest = max(len(self.regions[i].indices) for i in group)
        return box_frames(graph, take(starts[1], longest), lines, size)

    def _crops(self, pixels: Value, side: int, frames: Value) -> Value:
        """Samples crops of the shared map, or of the picture for a cascade's networks."""
        size = self.config.crop_size
        if isinstance(self.net, Cascade):
            size *= SHARED_STRIDE
        return sample(self.graph, pixels, side, frames, self.config.input_size, size)

    def _refine(self, group: Sequence[int], crops: Value, frames: Value, start: int) -> Value:
        """Runs these regions and records their points' positions; x and y (b n*2*p) [px]."""
        graph, net = self.graph, self.net
        modules = [net.regions[self.regions[i].name] for i in group]
        if isinstance(net, Cascade):
            networks = cast(list[RegionNetwork], modules)
            crops = sequence(graph, crops, [one.shared for one in networks])
            submodels = [one.submodel for one in networks]
        else:
            submodels = cast(list[RegionSubmodel], modules)
        split = sequence(graph, crops, [submodel.trunk for submodel in submodels])
        parts: list[Value] = []
        for name, branches in self._branches(group, submodels).items():
            with graph.scope(name):
                places = start + sum(part.shape[1] for part in parts)
                parts.append(self._run_branches(branches, split, frames, places))
        return graph.concatenate(parts, axis=1)

    def _branches(
        self, group: Sequence[int], submodels: Sequence[RegionSubmodel]
    ) -> dict[str, list["_Lane"]]:
        """Groups the branches that run as lanes: those of the regions, and of the irises."""
        lanes: dict[str, list[_Lane]] = {}
        for source, (i, submodel) in enumerate(zip(group, submodels, strict=True)):
            region = self.regions[i]
            for name in region.outputs:
                branch = submodel.branches[name]
                assert isinstance(branch, Branch)
                role = "contours" if name == region.name else "irises"
                lanes.setdefault(role, []).append(_Lane(branch, source, name))
        return lanes

    def _run_branches(
        self, lanes: Sequence["_Lane"], split: Value, frames: Value, start: int
    ) -> Value:
        """Runs branches and records their points' positions; x and y (b n*2*p) [px]."""
        graph = self.graph
        branches = [lane.branch for lane in lanes]
        sources = [lane.source for lane in lanes]
        x = lanes_of(graph, split, 3, sources, frames.shape[1])
        x = sequence(graph, x, [branch.blocks for branch in branches])
        x = head_features(graph, x, [branch.head for branch in branches])
        points = branch_points(graph, x, branches, self.config.crop_size * SHARED_STRIDE)
        chosen = lanes_of(graph, frames, 1, sources, frames.shape[1])
        right, bottom, centre = (graph.slice(chosen, 3, i, i + 1) for i in range(3))
        along, across = (graph.slice(points, 2, i, i + 1) for i in range(2))
        xy = graph.add(graph.multiply(along, right), graph.multiply(across, bottom))
        xy = graph.add(xy, centre)  # b n 2 p
        _, n, _, p = xy.shape
        for i, lane in enumerate(lanes):
            self.starts[lane.name] = start + 2 * i * p, start + (2 * i + 1) * p
        return graph.reshape(xy, (xy.shape[0], 2 * n * p))


class _Lane(NamedTuple):
    """One branch: the source of its features, and the output that it predicts."""

    branch: Branch
    source: int
    name: str
