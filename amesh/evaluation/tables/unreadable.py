"""Pictures that could not be read, and why."""

from collections.abc import Mapping

from amesh.evaluation.table import Table


def _section(failed: Mapping[str, str]) -> str:
    return "\n".join(f"* {reason}" for reason in failed.values())


UNREADABLE = Table(
    key="failed",
    title="Pictures that could not be read",
    compute=lambda evaluated: evaluated.failed,
    section=_section,
)
