"""What is written takes the place of a file, whole or not at all, and of nothing else."""

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from amnl.files import FileError, write_atomically

OLD, NEW = b"old text, longer than the new\n", b"new\n"


def same_inode(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino


def linked(folder: Path, to: str) -> Path:
    (folder / "link").symlink_to(to)
    return folder / "link"


LINKS: dict[str, Callable[[Path], Path]] = {
    "to a file": lambda folder: linked(folder, "real/file"),
    "to a whole path": lambda folder: linked(folder, str(folder / "real" / "file")),
    "to nothing yet": lambda folder: linked(folder, "real/other"),
    "in a linked folder": lambda folder: linked(folder, "real") / "file",
    "in a linked folder, nothing yet": lambda folder: linked(folder, "real") / "other",
}


@pytest.mark.parametrize("form", LINKS)
def test_a_link_stays_a_link_and_its_file_is_written(tmp_path: Path, form: str) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_bytes(OLD)
    path = LINKS[form](tmp_path)
    link = same_inode(tmp_path / "link")
    write_atomically(path, NEW)
    assert path.read_bytes() == NEW
    assert same_inode(tmp_path / "link") == link and (tmp_path / "link").is_symlink()
    name = "other" if "nothing" in form else "file"
    assert (tmp_path / "real" / name).read_bytes() == NEW
    assert {p.name for p in (tmp_path / "real").iterdir()} == {"file", name}


def test_a_link_to_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(OLD)
    (tmp_path / "second").symlink_to("file")
    write_atomically(linked(tmp_path, "second"), NEW)
    assert (tmp_path / "file").read_bytes() == NEW
    assert (tmp_path / "second").is_symlink() and (tmp_path / "link").is_symlink()


def test_a_reader_sees_the_whole_old_file_or_the_whole_new_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(OLD)
    with (tmp_path / "file").open("rb") as reader:
        write_atomically(linked(tmp_path, "file"), NEW)
        assert reader.read() == OLD
    assert (tmp_path / "file").read_bytes() == NEW


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
@pytest.mark.parametrize("through_a_link", [False, True])
def test_a_fifo_is_written_into(tmp_path: Path, through_a_link: bool) -> None:
    os.mkfifo(tmp_path / "fifo")
    path = linked(tmp_path, "fifo") if through_a_link else tmp_path / "fifo"
    before, got = same_inode(path), []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "fifo").read_bytes()))
    reader.daemon = True  # it waits for ever for a writer that replaces the FIFO
    reader.start()
    write_atomically(path, NEW)
    reader.join(timeout=20)
    assert got == [NEW]
    assert same_inode(path) == before and stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)


def test_a_device_is_written_into(tmp_path: Path) -> None:
    path = linked(tmp_path, "/dev/null")  # a link, so that a mistake here costs the link alone
    before = same_inode(path)
    write_atomically(path, NEW)
    assert same_inode(path) == before and stat.S_ISCHR(path.stat().st_mode)


def test_a_device_of_ones_own_is_written_into(tmp_path: Path) -> None:
    try:
        os.mknod(tmp_path / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        (tmp_path / "null").write_bytes(b"")
    except (OSError, AttributeError):
        pytest.skip("no right to make or use a device")
    write_atomically(tmp_path / "null", NEW)
    assert stat.S_ISCHR((tmp_path / "null").stat().st_mode)


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no /dev/stdout here")
@pytest.mark.parametrize("to", ["pipe", "file"])
def test_standard_output_by_its_name_keeps_what_else_is_printed(tmp_path: Path, to: str) -> None:
    path = linked(tmp_path, "/dev/stdout")
    code = (
        "import sys; from pathlib import Path; from amnl.files import write_atomically\n"
        "print('before', flush=True)\n"
        f"write_atomically(Path({str(path)!r}), b'rows\\n')\n"
        "print('after')"
    )
    with (tmp_path / "printed").open("wb") as file:
        where = file if to == "file" else subprocess.PIPE
        done = subprocess.run([sys.executable, "-c", code], stdout=where, check=True, timeout=60)
    printed = (tmp_path / "printed").read_bytes() if to == "file" else done.stdout
    assert printed == b"before\nrows\nafter\n"
    assert path.is_symlink()


def folder_at(folder: Path) -> Path:
    (folder / "out.csv").mkdir()
    return folder / "out.csv"


def loop_at(folder: Path) -> Path:
    (folder / "out.csv").symlink_to("back")
    (folder / "back").symlink_to("out.csv")
    return folder / "out.csv"


def below_a_file(folder: Path) -> Path:
    (folder / "file").write_bytes(OLD)
    return folder / "file" / "out.csv"


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a folder": (folder_at, "it is a folder"),
    "a link to a folder": (lambda folder: linked(folder, "."), "it is a folder"),
    "links in a circle": (loop_at, "symbolic links"),
    "below a file": (below_a_file, "Not a directory"),
    "below nothing": (lambda folder: folder / "new" / "out.csv", "No such file"),
    "a link below nothing": (lambda folder: linked(folder, "new/out.csv"), "No such file"),
    "too long a name": (lambda folder: folder / ("x" * 256), "name too long"),
}


@pytest.mark.parametrize("where", REFUSED)
def test_a_place_that_cannot_be_written_is_named_and_left(tmp_path: Path, where: str) -> None:
    make, message = REFUSED[where]
    path = make(tmp_path)
    before = {p: same_inode(p) for p in tmp_path.iterdir()}
    with pytest.raises(FileError, match=message) as caught:
        write_atomically(path, NEW)
    assert str(path) in str(caught.value)
    assert {p: same_inode(p) for p in tmp_path.iterdir()} == before


def test_any_name_that_a_file_can_have_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    write_atomically(path, NEW)
    assert path.read_bytes() == NEW


def test_a_failed_write_says_why_even_where_its_rest_cannot_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "out.csv").write_bytes(OLD)
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(FileError, match="No space left"):
        write_atomically(tmp_path / "out.csv", NEW)
    assert (tmp_path / "out.csv").read_bytes() == OLD
