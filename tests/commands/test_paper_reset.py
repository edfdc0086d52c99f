"""`zoe paper reset`: looks by default, deletes when told, refuses while served."""

from __future__ import annotations

from pathlib import Path

from command_line import zoe
from zoe_tools.paper.home import PaperHome


def test_a_dry_run_lists_and_deletes_nothing(tmp_path: Path) -> None:
    """Exit 3: there is something to do."""
    PaperHome(tmp_path / "paper").keys()
    before = sorted(tmp_path.rglob("*"))
    ran = zoe("paper reset", home=tmp_path)

    assert ran.code == 3
    assert "keys.json" in ran.out
    assert ran.out.endswith(
        "DRY RUN: nothing was changed.\nTo carry it out: zoe paper reset --execute\n"
    )
    assert sorted(tmp_path.rglob("*")) == before


def test_execute_deletes_and_a_second_time_has_nothing_to_do(tmp_path: Path) -> None:
    """A fresh account follows; zoe's own books are elsewhere."""
    old = PaperHome(tmp_path / "paper").keys().api_key
    (tmp_path / "zoe.db").write_text("books")
    ran = zoe("paper reset --execute --json", home=tmp_path)

    assert ran.code == 0
    assert ran.envelope["result"]["is_executed"] is True
    assert not (tmp_path / "paper").exists()
    assert (tmp_path / "zoe.db").read_text() == "books"
    again = zoe("paper reset --execute", home=tmp_path)
    assert (again.code, "Nothing to do" in again.out) == (0, True)
    assert PaperHome(tmp_path / "paper").keys().api_key != old


def test_it_refuses_while_the_exchange_is_served(tmp_path: Path) -> None:
    """State under a running exchange is not pulled away."""
    paper = PaperHome(tmp_path / "paper")
    paper.keys()
    with paper.locked():
        ran = zoe("paper reset --execute", home=tmp_path)

        assert ran.code == 2
        assert "already serves" in ran.err
        assert (tmp_path / "paper" / "keys.json").exists()


def test_a_dry_run_promises_nothing_while_the_exchange_is_served(tmp_path: Path) -> None:
    """What --execute would refuse is refused when it is only looked at, too."""
    paper = PaperHome(tmp_path / "paper")
    paper.keys()
    with paper.locked():
        ran = zoe("paper reset", home=tmp_path)

    assert ran.code == 2
    assert "already serves" in ran.err
    assert "--execute" not in ran.out


def test_it_never_touches_a_live_account(tmp_path: Path) -> None:
    """Whatever the mode says, it means the paper exchange."""
    ran = zoe("paper reset", {"EDGE_FACTORY_MODE": "live"}, home=tmp_path)

    assert ran.code == 0
    assert ran.out.startswith("PAPER")
