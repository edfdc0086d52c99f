"""The emergency file: whole records or none, whatever tore it, and never more than its room."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoe_tools.errors import StoreUnavailable
from zoe_tools.store.emergency_file import RESERVE, SIZE, EmergencyFile

RECORDS = (b"first", b"the second one", b"third")


def file_with(folder: Path, *records: bytes) -> EmergencyFile:
    """A prepared file that holds these."""
    file = EmergencyFile(folder)
    file.prepare()
    for each in records:
        file.append(each)
    return file


def records_in(file: EmergencyFile, *, forget: bool = False) -> tuple[bytes, ...]:
    """What it holds, or held until it was forgotten."""
    found = file.records()
    if forget:
        file.settle(lambda _: None)
    return found


def test_its_room_is_taken_before_it_is_needed(tmp_path: Path) -> None:
    """A record changes no size: a disk that is full by then has nothing to refuse."""
    file = file_with(tmp_path)
    before = file.path.stat()
    file.append(b"a record")
    assert (before.st_size, before.st_blocks * 512 >= SIZE) == (SIZE, True)
    assert file.path.stat().st_size == SIZE
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_what_was_written_is_there_until_it_is_forgotten(tmp_path: Path) -> None:
    """Another process sees it; drained, the file is as new."""
    file_with(tmp_path, *RECORDS)
    again = EmergencyFile(tmp_path)
    again.prepare()
    assert records_in(again) == RECORDS
    assert records_in(again, forget=True) == RECORDS
    assert again.is_empty()
    again.append(b"next")
    assert records_in(again) == (b"next",)


def test_a_torn_tail_takes_nothing_with_it(tmp_path: Path) -> None:
    """Torn at any byte of the last record, those before it stand, and the next one follows them."""
    file = file_with(tmp_path, *RECORDS)
    whole = file.path.read_bytes()
    ends = sum(8 + len(each) for each in RECORDS)
    for torn_at in range(ends - 8 - len(RECORDS[-1]), ends):
        file.path.write_bytes(whole[:torn_at] + b"\xff" * 3 + bytes(SIZE - torn_at - 3))
        assert records_in(file) == RECORDS[:2]
        file.append(b"after the crash")
        assert records_in(file) == (*RECORDS[:2], b"after the crash")


def test_a_full_file_refuses_and_keeps_what_it_has(tmp_path: Path) -> None:
    """It is bounded; the refusal is the store's own kind of error."""
    file = file_with(tmp_path)
    big = b"x" * 100_000
    file.append(big)
    file.append(big)
    with pytest.raises(StoreUnavailable, match="is full, too"):
        file.append(big)
    assert records_in(file) == (big, big)


def test_a_full_file_has_room_for_a_note(tmp_path: Path) -> None:
    """What ends records finds the reserve; a record never does."""
    file = file_with(tmp_path, b"x" * (SIZE - RESERVE - 8 - 8))
    with pytest.raises(StoreUnavailable, match="is full, too"):
        file.append(b"y")
    file.settle(lambda _: b"a note")
    assert records_in(file)[1:] == (b"a note",)


def test_a_note_that_says_nothing_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    """Neither a record more nor one less; of an empty file nobody is asked."""
    file = file_with(tmp_path)
    file.settle(lambda records: pytest.fail(f"asked about {records}"))
    for each in RECORDS:
        file.append(each)
    file.settle(lambda records: b"".join(records[:0]))
    assert records_in(file) == RECORDS


def test_a_file_that_was_never_made_refuses(tmp_path: Path) -> None:
    """It is made when all is well, not when the disk is full."""
    file = EmergencyFile(tmp_path)
    assert file.is_empty()
    with pytest.raises(StoreUnavailable):
        file.append(b"a record")


def test_it_tells_when_half_of_its_room_is_taken(tmp_path: Path) -> None:
    """One that is not there has no room at all."""
    assert EmergencyFile(tmp_path).is_half_full()
    file = file_with(tmp_path, b"x" * (SIZE // 2 - 8))
    assert not file.is_half_full()
    file.append(b"one more")
    assert file.is_half_full()
