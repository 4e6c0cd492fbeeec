"""A container's share of time counts, not the machine it is on."""

from pathlib import Path

import pytest

from core import cores


@pytest.mark.parametrize(
    ("written", "most"),
    [("50000 100000\n", 1), ("150000 100000\n", 2), ("max 100000\n", 64), ("", 64), ("6400000 100000\n", 64)],
)
def test_no_more_cores_than_the_container_may_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, most: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(64)), raising=False)
    quota = tmp_path / "cpu.max"
    quota.write_text(written)
    assert cores.usable(quota) == most


def test_where_nothing_is_said_the_machine_counts(tmp_path: Path) -> None:
    assert cores.usable(tmp_path / "none") >= 1
