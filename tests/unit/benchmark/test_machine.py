import re
from datetime import UTC, datetime

from amesh.benchmark.machine import about
from amesh.version import __version__


def test_a_report_says_what_ran_where_and_when():
    found = about()
    assert list(found) == ["processor", "system", "amesh", "date"]
    assert re.fullmatch(r".+, [1-9]\d* cores visible", found["processor"])
    assert found["amesh"].startswith(f"{__version__}, commit ")
    assert abs((datetime.now(UTC) - datetime.fromisoformat(f"{found['date']}T00Z")).days) <= 1
