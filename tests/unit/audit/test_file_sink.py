"""`warmcube.audit.file_sink`: whole lines at the end of a real file, whatever happens to it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from warmcube.audit.file_sink import FileSink
from warmcube.errors import AuditError

FULL = Path("/dev/full")


async def write(sink: FileSink, *lines: str) -> None:
    """Write lines."""
    await sink.write([f"{line}\n".encode() for line in lines])


def mode_of(path: Path) -> int:
    """The permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("sync", [False, True])
async def test_lines_are_appended_for_the_owner_alone(tmp_path: Path, sync: bool) -> None:
    """Folders and file are made as needed, and nobody else may look into them."""
    path = tmp_path / "a" / "b" / "audit.jsonl"
    sink = FileSink(path, sync=sync)
    await write(sink, "1", "2")
    await write(sink, "3")
    await sink.close()
    again = FileSink(path, sync=sync)
    await write(again, "4")
    await again.close()
    assert path.read_text() == "1\n2\n3\n4\n"
    assert [mode_of(each) for each in (path, path.parent, path.parent.parent)] == [
        0o600,
        0o700,
        0o700,
    ]


async def test_a_file_and_folder_that_are_there_keep_their_mode(tmp_path: Path) -> None:
    """Whoever collects the lines was given the right to read them."""
    path = tmp_path / "audit.jsonl"
    path.write_text("0\n")
    path.chmod(0o640)
    path.parent.chmod(0o750)
    sink = FileSink(path)
    await write(sink, "1")
    await sink.close()
    assert (path.read_text(), mode_of(path), mode_of(path.parent)) == ("0\n1\n", 0o640, 0o750)


async def test_a_rotated_file_is_left_alone(tmp_path: Path) -> None:
    """Moved away, removed, or replaced: the next lines go into the file that has the name."""
    path = tmp_path / "audit.jsonl"
    sink = FileSink(path)
    await write(sink, "1")
    path.rename(tmp_path / "audit.jsonl.1")
    await write(sink, "2")
    path.unlink()
    await write(sink, "3")
    (tmp_path / "new").write_text("")
    (tmp_path / "new").rename(path)
    await write(sink, "4")
    with path.open("w"):  # copied and truncated
        pass
    await write(sink, "5")
    await sink.close()
    assert (tmp_path / "audit.jsonl.1").read_text() == "1\n"
    assert path.read_text() == "5\n"


async def test_a_removed_folder_is_made_again(tmp_path: Path) -> None:
    """With what was written to it gone, but not what follows."""
    path = tmp_path / "logs" / "audit.jsonl"
    sink = FileSink(path)
    await write(sink, "1")
    path.unlink()
    path.parent.rmdir()
    await write(sink, "2")
    await sink.close()
    assert (path.read_text(), mode_of(path.parent)) == ("2\n", 0o700)


async def test_half_a_line_is_ended_first(tmp_path: Path) -> None:
    """After a power failure the file may end within a line; the next one isn't joined to it."""
    path = tmp_path / "audit.jsonl"
    path.write_text('1\n{"event":"gra')
    sink = FileSink(path)
    await write(sink, "2", "3")
    await sink.close()
    assert path.read_text() == '1\n{"event":"gra\n2\n3\n'


async def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    """It names the file and the reason; nothing is lost silently."""
    path = tmp_path / "audit.jsonl"
    path.symlink_to(FULL)
    sink = FileSink(path)
    with pytest.raises(AuditError) as caught:
        await write(sink, "1")
    assert str(caught.value) == (
        f"the audit can't be written to the file {path}: No space left on device; see to the file "
        "and its disk, or set another [audit] path"
    )
    path.unlink()
    await write(sink, "2")
    await sink.close()
    assert path.read_text() == "2\n"


def test_a_disk_that_fills_takes_all_of_a_batch_or_nothing(tmp_path: Path) -> None:
    """A limit cuts the write in the middle; what was written of it is taken back."""
    script = f"""
import asyncio, resource, signal
from pathlib import Path
from warmcube.audit.file_sink import FileSink
from warmcube.errors import AuditError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
async def main():
    sink = FileSink(Path({str(tmp_path / "audit.jsonl")!r}))
    await sink.write([b"first\\n"])
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
    try:
        await sink.write([b"second\\n", b"a third line\\n"])
    except AuditError as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await sink.write([b"fourth\\n"])
    await sink.close()
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert "File too large" in done.stdout
    assert (tmp_path / "audit.jsonl").read_text() == "first\nfourth\n"


async def test_a_device_is_written_to(tmp_path: Path) -> None:
    """One that keeps nothing, and can't be locked into place or synced."""
    path = tmp_path / "audit.jsonl"
    path.symlink_to("/dev/null")
    sink = FileSink(path, sync=True)
    await write(sink, "1")
    await write(sink, "2")
    await sink.close()
    assert path.read_bytes() == b""


@pytest.mark.parametrize("what", ["folder", "pipe", "below a file", "socket"])
async def test_what_is_no_file_is_an_error(tmp_path: Path, what: str) -> None:
    """A folder, a pipe that nobody reads, or one that somebody does; none holds anything up."""
    path = tmp_path / "audit.jsonl"
    reader = None
    if what == "folder":
        path.mkdir()
    elif what == "below a file":
        path.write_text("")
        path = path / "x"
    else:
        os.mkfifo(path)
        if what == "socket":
            reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    sink = FileSink(path)
    with pytest.raises(AuditError, match="can't be written to the file"):
        await write(sink, "1")
    await sink.close()
    if reader is not None:
        os.close(reader)


def as_ordinary_user(work: str) -> str:
    """What the body of an asynchronous function prints, as one whom permissions hold back."""
    script = f"""
import asyncio, os
from pathlib import Path
from warmcube.audit.file_sink import FileSink
from warmcube.errors import AuditError
async def work():
{work}
if os.geteuid() == 0:
    os.setegid(65534)
    os.seteuid(65534)
asyncio.run(work())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def test_a_read_only_folder_is_an_error(server_folder: Path) -> None:
    """For an ordinary user, whoever runs the tests; the end of it is the end of the error."""
    closed = server_folder / "closed"
    closed.mkdir(mode=0o555)
    printed = as_ordinary_user(f"""
    sink = FileSink(Path({str(closed / "audit.jsonl")!r}))
    try:
        await sink.write([b"1\\n"])
    except AuditError as error:
        print(error)
    os.seteuid(os.getuid())
    os.chmod({str(closed)!r}, 0o755)
    await sink.write([b"2\\n"])
    await sink.close()
""")
    assert "Permission denied" in printed
    assert (closed / "audit.jsonl").read_text() == "2\n"


def test_a_file_that_can_only_be_written_to(server_folder: Path) -> None:
    """As logs are kept that their writers shan't read."""
    folder = server_folder / "write-only"
    folder.mkdir()
    folder.chmod(0o777)
    as_ordinary_user(f"""
    path = Path({str(folder / "audit.jsonl")!r})
    path.touch(mode=0o200)
    sink = FileSink(path)
    await sink.write([b"1\\n"])
    await sink.write([b"2\\n"])
    await sink.close()
    path.chmod(0o644)
""")
    assert (folder / "audit.jsonl").read_text() == "1\n2\n"


def test_several_writers_never_mix_lines(tmp_path: Path) -> None:
    """Batches of several processes stand whole, one after the other."""
    path = tmp_path / "audit.jsonl"
    script = f"""
import asyncio, sys
from pathlib import Path
from warmcube.audit.file_sink import FileSink
async def main():
    sink = FileSink(Path({str(path)!r}))
    for batch in range(50):
        await sink.write([sys.argv[1].encode() * 300 + b"\\n"] * 20)
    await sink.close()
asyncio.run(main())
"""
    writers = [subprocess.Popen([sys.executable, "-c", script, name]) for name in "abc"]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    lines = path.read_text().splitlines()
    assert sorted(lines) == sorted([name * 300 for name in "abc"] * 1000)
    batches = [lines[at : at + 20] for at in range(0, len(lines), 20)]
    assert all(len(set(batch)) == 1 for batch in batches)


async def test_closing_ends_the_thread(tmp_path: Path) -> None:
    """Nothing is left running; closing what was never used is fine."""
    for is_used in (False, True):
        sink = FileSink(tmp_path / "audit.jsonl")
        if is_used:
            await write(sink, "1")
        await sink.close()
    for thread in threading.enumerate():
        if thread.name.startswith("warmcube-audit"):
            thread.join(10)
    assert not [t for t in threading.enumerate() if t.name.startswith("warmcube-audit")]
