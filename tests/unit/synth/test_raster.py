import torch

from amesh.synth.raster import interpolate, rasterise

SIZE = (12, 15)


def tiny() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two scenes of crossing triangles of either direction, partly outside of the picture."""
    generator = torch.Generator().manual_seed(3)
    xy = torch.rand(2, 14, 2, generator=generator) * torch.tensor([22.0, 18.0]) - 3.0
    depth = 1.0 + 3.0 * torch.rand(2, 14, generator=generator)
    every = torch.combinations(torch.arange(14), 3)
    triangles = every[torch.randperm(len(every), generator=generator)[:20]]
    triangles[::2] = triangles[::2].flip(1)
    return xy, depth, triangles


def brute_force(
    xy: torch.Tensor, depth: torch.Tensor, triangles: torch.Tensor, two_sided: bool
) -> dict[tuple[int, int, int], tuple[int, list[float], float]]:
    seen: dict[tuple[int, int, int], tuple[int, list[float], float]] = {}
    for face in range(len(xy)):
        for row in range(SIZE[0]):
            for column in range(SIZE[1]):
                x, y = column + 0.5, row + 0.5
                for number, corners in enumerate(triangles.tolist()):
                    (ax, ay), (bx, by), (cx, cy) = xy[face, corners].double().tolist()
                    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
                    if abs(area) < 1e-9 or (area > 0 and not two_sided):
                        continue
                    v = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
                    w = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
                    u = 1 - v - w
                    if min(u, v, w) < 0:
                        continue
                    za, zb, zc = depth[face, corners].double().tolist()
                    parts = [u / za, v / zb, w / zc]
                    z = 1 / sum(parts)
                    best = seen.get((face, row, column))
                    if best is None or z < best[2]:
                        seen[face, row, column] = (number, [p * z for p in parts], z)
    return seen


def test_rasteriser_equals_a_plain_loop() -> None:
    xy, depth, triangles = tiny()
    for two_sided in (False, True):
        expected = brute_force(xy, depth, triangles, two_sided)
        found = rasterise(xy, depth, triangles, SIZE, two_sided)
        assert len(expected) > 100
        places = {}
        for i, pixel in enumerate(found.pixel.tolist()):
            face, rest = divmod(pixel, SIZE[0] * SIZE[1])
            assert face == found.face[i]
            places[(face, *divmod(rest, SIZE[1]))] = i
        assert places.keys() == expected.keys()
        for place, i in places.items():
            number, weights, z = expected[place]
            assert found.triangle[i] == number, place
            torch.testing.assert_close(
                found.weights[i], torch.tensor(weights), rtol=1e-3, atol=1e-3
            )
            torch.testing.assert_close(found.depth[i], torch.tensor(z), rtol=1e-4, atol=1e-4)


def test_values_are_interpolated_with_perspective() -> None:
    # A plane z = 1 + x seen by a camera of focal length 20: any function of space is recovered.
    points = torch.tensor([[[-0.2, -0.2], [-0.2, 0.3], [0.3, -0.2], [0.3, 0.3]]])
    z = 1.0 + points[..., 0]
    xy = points / z[..., None] * 20 + 6
    triangles = torch.tensor([[0, 1, 2], [2, 1, 3]])
    found = rasterise(xy, z, triangles, SIZE, two_sided=True)
    values = interpolate(points, triangles, found)
    row, column = found.pixel // SIZE[1], found.pixel % SIZE[1]
    x = (column + 0.5 - 6) / 20 * found.depth
    y = (row + 0.5 - 6) / 20 * found.depth
    torch.testing.assert_close(values, torch.stack([x, y], 1), rtol=1e-4, atol=1e-4)


def test_neighbouring_triangles_leave_no_gap() -> None:
    line = torch.linspace(0.25, 11.75, 8)
    y, x = torch.meshgrid(line, line, indexing="ij")
    xy = torch.stack([x, y], -1).reshape(1, -1, 2)
    quads = [
        (i * 8 + j, i * 8 + j + 8, i * 8 + j + 1, i * 8 + j + 9) for i in range(7) for j in range(7)
    ]
    triangles = torch.tensor([t for a, b, c, d in quads for t in ((a, b, c), (c, b, d))])
    found = rasterise(xy, torch.ones(1, 64), triangles, (12, 12))
    assert found.pixel.tolist() == list(range(144))


def test_an_empty_scene_is_not_an_error() -> None:
    found = rasterise(
        torch.full((1, 3, 2), 100.0), torch.ones(1, 3), torch.tensor([[0, 1, 2]]), SIZE
    )
    assert len(found.pixel) == 0
    assert found.weights.shape == (0, 3)
