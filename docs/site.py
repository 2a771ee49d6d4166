"""Gathers the pages of the documentation site: `python docs/site.py FOLDER`.

The documents link to each other, and to files, by their places in the repository. So the site has
the same layout: this copies every document, and whatever a document links to, into a folder that
the generator reads (`zensical.toml`).
"""

import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ("*.md", "docs/**/*.md", "conf/*.md", "deploy/**/*.md", "tests/golden/*.md", "web/*.md")
LINK = re.compile(r"\]\(([^)\s#]+)[^)]*\)")


def documents() -> list[Path]:
    """The pages of the site."""
    return sorted(path for pattern in DOCUMENTS for path in ROOT.glob(pattern))


def gather(folder: Path) -> list[Path]:
    """Copies the documents and the files that they link to.

    Returns:
        The copies.
    """
    shutil.rmtree(folder, ignore_errors=True)
    pages = documents()
    linked = {
        (page.parent / target).resolve()
        for page in pages
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if "://" not in target
    }
    files = [path for path in sorted({*pages, *linked}) if path.is_file()]
    copies = [folder / path.relative_to(ROOT) for path in files]
    for path, copy in zip(files, copies, strict=True):
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    return copies


if __name__ == "__main__":
    print(f"{len(gather(Path(sys.argv[1])))} files in {sys.argv[1]}")
