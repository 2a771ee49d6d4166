"""Finding pictures in folders."""

from pathlib import Path

import pytest

from amesh.errors import UserError
from amesh.pipeline.listing import IMAGE_SUFFIXES, list_images


class TestListImages:
    def test_sorted_recursive_without_the_hidden(self, tmp_path: Path) -> None:
        names = ["b.JPG", "a/z.png", "a/b/c.webp", "a.txt", ".hidden.jpg", ".git/x.png", "c.heic"]
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        found = [path.relative_to(tmp_path).as_posix() for path in list_images(tmp_path)]
        assert found == ["a/b/c.webp", "a/z.png", "b.JPG", "c.heic"]
        assert set(IMAGE_SUFFIXES) == {suffix.lower() for suffix in IMAGE_SUFFIXES}

    def test_a_loop_of_links_ends(self, tmp_path: Path) -> None:
        (tmp_path / "loop").symlink_to(tmp_path)
        (tmp_path / "a.png").touch()
        assert list_images(tmp_path) == [tmp_path / "a.png"]

    def test_an_empty_folder_is_an_empty_list(self, tmp_path: Path) -> None:
        assert list_images(tmp_path) == []

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="none: no such folder"):
            list_images(tmp_path / "none")
        (tmp_path / "a.png").touch()
        with pytest.raises(UserError, match=r"a.png: not a folder"):
            list_images(tmp_path / "a.png")
