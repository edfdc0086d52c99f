"""What is printed and logged: nobody who tells it waits, and what nobody took is counted."""

from __future__ import annotations

import errno
import fcntl
import io
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import TextIO, cast

import pytest

from zoe_tools.observe import log
from zoe_tools.observe.outlet import EDGE, MOST_BYTES, MOST_WAITING, Edge, Outlet, Spool
from zoe_tools.render.printer import Printer

LOGGER = logging.getLogger("zoe_tools.tests.outlet")
SOON_S = 30.0
"""A wait of that length fails a test; none of them ever takes it."""


class Place:
    """Somewhere to write to, with a door: `opened`. It says when the first piece came."""

    def __init__(self, *failures: int) -> None:
        self.text = b""
        self.came = Event()
        self.opened = Event()
        self._failures = list(failures)
        self.failed = Event()

    def put(self, text: bytes) -> int:
        """Take half of it, once the door is open; before that fail so often."""
        if self._failures:
            number = self._failures.pop(0)
            if not self._failures:
                self.failed.set()
            raise OSError(number, os.strerror(number))
        self.came.set()
        assert self.opened.wait(SOON_S)
        taken = text[: max(1, len(text) // 2)]
        self.text += taken
        return len(taken)


def told(lines: int, why: str) -> str:
    """The line that stands for what is missing."""
    return f"<{lines} missing: {why}>"


def spool_of(place: Place, edge: Edge) -> Spool:
    """One whose first piece is on its way already."""
    edge.unblock()
    spool = edge.spool("there", place.put, told)
    spool.write(b"first\n")
    return spool


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """Where one reads, and a stream into it that takes a page."""
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    with os.fdopen(write, "w", encoding="utf-8") as stream:
        yield read, stream
    os.close(read)


def all_of(read: int, stream: TextIO) -> str:
    """Everything in a pipe that nobody writes into any more."""
    stream.close()
    found = b""
    while some := os.read(read, 65536):
        found += some
    return found.decode()


def test_what_is_told_arrives_whole_and_in_order() -> None:
    """However little is taken at a time."""
    place, edge = Place(), Edge(last_s=SOON_S)
    place.opened.set()
    spool = spool_of(place, edge)
    for number in range(50):
        spool.write(f"line {number}\n".encode())
    assert edge.end() == ""

    assert place.text.decode().splitlines() == ["first", *(f"line {n}" for n in range(50))]
    assert spool.lines_lost == 0


def test_who_tells_never_waits_and_the_oldest_go() -> None:
    """The newest are kept; what is missing is told where it is missing."""
    place, edge = Place(), Edge(held_up_s=0, last_s=SOON_S)
    spool = spool_of(place, edge)
    assert place.came.wait(SOON_S)
    for number in range(MOST_WAITING + 7):
        spool.write(f"line {number}\n".encode())
    assert edge.trouble() == "nobody reads there: 7 lines are not shown"
    assert edge.lines_lost == 7
    place.opened.set()
    edge.end()

    lines = place.text.decode().splitlines()
    assert lines[:3] == ["first", "<7 missing: nobody read them>", "line 7"]
    assert lines[-1] == f"line {MOST_WAITING + 6}"


def test_what_waits_is_bounded_by_its_size_too() -> None:
    """The last piece is kept however large it is: it may be the answer."""
    place, edge = Place(), Edge(last_s=SOON_S)
    spool = spool_of(place, edge)
    assert place.came.wait(SOON_S)
    for _ in range(3):
        spool.write(b"x" * MOST_BYTES + b"\n")
    place.opened.set()
    edge.end()

    assert spool.lines_lost == 2
    assert len(place.text) < MOST_BYTES + 100


def test_nobody_who_reads_holds_up_the_end() -> None:
    """It has its bound; what is left then is counted, and nothing more is taken."""
    place, edge = Place(), Edge(last_s=0)
    spool = spool_of(place, edge)
    assert place.came.wait(SOON_S)
    spool.write(b"second\nthird\n")
    assert edge.end() == ""
    spool.write(b"fourth\n")
    place.opened.set()

    assert (spool.is_done, spool.lines_lost) == (False, 2)


def test_a_full_disk_is_tried_again_and_its_gap_is_told() -> None:
    """It is trouble meanwhile; afterwards the line that failed is there, whole."""
    place, edge = Place(errno.ENOSPC, errno.ENOSPC), Edge(again_s=0, last_s=SOON_S)
    spool = spool_of(place, edge)
    assert place.came.wait(SOON_S)
    place.opened.set()

    assert edge.end() == ""
    assert (place.text, spool.lines_lost) == (b"first\n", 0)


def test_a_disk_that_stays_full_is_told_at_the_end() -> None:
    """What was lost is lost for a reason that somebody can mend."""
    place, edge = Place(errno.ENOSPC), Edge(again_s=SOON_S, last_s=0)
    spool_of(place, edge)
    assert place.failed.wait(SOON_S)
    while not edge.trouble():
        pass

    assert edge.trouble() == "there cannot be written (No space left on device)"
    assert edge.end() == "No space left on device"


@pytest.mark.parametrize(("number", "lost"), [(errno.EPIPE, ""), (errno.EIO, "Input/output error")])
def test_a_reader_who_has_gone_ends_nothing(number: int, lost: str) -> None:
    """Nothing more is kept for him; a closed pipe is no loss, a closed terminal is one."""
    place, edge = Place(number), Edge(last_s=SOON_S)
    edge.unblock()
    spool = edge.spool("there", place.put, told, can_hang_up=True)
    spool.write(b"first\n")
    assert place.failed.wait(SOON_S)

    assert edge.end() == lost
    assert not spool.is_done


def test_a_stream_is_itself_until_the_edge_is_unblocked(pipe: tuple[int, TextIO]) -> None:
    """Short commands print as they go; and so does whoever comes after the end."""
    read, stream = pipe
    edge = Edge(last_s=SOON_S)
    outlet = Outlet(stream, "stdout", edge)
    outlet.write("direct, ")
    outlet.flush()
    assert os.read(read, 100) == b"direct, "
    edge.unblock()
    outlet.write("beside, ")
    edge.end()
    assert os.read(read, 100) == b"beside, "
    outlet.write("after\n")
    outlet.flush()
    assert os.read(read, 100) == b"after\n"


def test_a_stream_that_is_no_file_stays_itself() -> None:
    """Nothing there ever waits; and no thread is begun for it."""
    edge, stream = Edge(), io.StringIO()
    edge.unblock()
    Outlet(stream, "stdout", edge).write("here")

    assert stream.getvalue() == "here"


def test_two_streams_to_one_place_keep_their_order(pipe: tuple[int, TextIO]) -> None:
    """`zoe run 2>&1` reads as it was told."""
    read, stream = pipe
    edge = Edge(last_s=SOON_S)
    with os.fdopen(os.dup(stream.fileno()), "w", encoding="utf-8") as second:
        outlets = [Outlet(stream, "stdout", edge), Outlet(second, "stderr", edge)]
        edge.unblock()
        for number in range(40):
            outlets[number % 2].write(f"{number}\n")
        edge.end()

    assert all_of(read, stream).split() == [str(number) for number in range(40)]


def test_a_printer_goes_on_over_a_full_pipe(pipe: tuple[int, TextIO]) -> None:
    """Lines, tables and the live screen alike: written or counted, every one, without a reader."""
    read, stream = pipe
    edge = Edge(held_up_s=0, last_s=0)
    out = cast("TextIO", Outlet(stream, "stdout", edge))
    printer = Printer(out=out, err=out)
    edge.unblock()
    with printer.live() as screen:
        for number in range(400):
            printer.line(f"line {number} {'.' * 60}")
            printer.table(("a", "b"), [(number, "x")])
            screen(f"frame {number}", ("a", "b"), [(number, "x")], {})
    for number in range(MOST_WAITING):
        printer.line(f"last {number}")
    assert edge.trouble().startswith("nobody reads stdout: ")
    assert edge.lines_lost > 400
    edge.end()

    assert len(os.read(read, 65536)) <= 4096


def test_a_log_that_is_opened_anew_is_written_on(tmp_path: Path) -> None:
    """Settings are read again in the midst of a command: the file goes on, line after line."""
    EDGE.unblock()
    try:
        for number in range(3):
            log.set_up(tmp_path)
            LOGGER.info("line %s", number)
        log.tear_down()
    finally:
        EDGE.end()
        log.tear_down()
    lines = [json.loads(each) for each in log.log_file(tmp_path).read_text().splitlines()]

    assert [each["message"] for each in lines] == ["line 0", "line 1", "line 2"]


def test_the_log_file_is_written_beside_and_tells_its_gap(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A disk that was full: the lines that found no room are one line that counts them."""
    (tmp_path / "logs").write_text("no folder, as if there were no room")
    log.set_up(tmp_path)
    EDGE.unblock()
    try:
        for number in range(MOST_WAITING + 10):
            LOGGER.info("line %s", number)
        while "zoe.log cannot be written" not in EDGE.trouble():
            pass
        missing = EDGE.lines_lost
        assert missing >= 9
        (tmp_path / "logs").unlink()
        log.tear_down()
    finally:
        EDGE.end()
        log.tear_down()
    lines = [json.loads(each) for each in log.log_file(tmp_path).read_text().splitlines()]
    gap = next(each for each in lines if each.get("event") == "LINES_LOST")

    assert capsys.readouterr().err.count("warning: no log") == 1
    assert (gap["severity"], gap["lines"]) == ("warning", missing)
    assert gap["lines"] + len(lines) - 1 == MOST_WAITING + 10
    assert lines[-1]["message"] == f"line {MOST_WAITING + 9}"
