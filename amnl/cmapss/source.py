"""Where the files come from, and whether their bytes are right."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from amnl.cmapss.errors import DataError, note
from amnl.cmapss.folder import BROKEN_ZIP, WAY_OUT, File, data_files, read_stored, unpacked
from amnl.cmapss.layout import MANIFEST, SUBSETS, file_names
from amnl.cmapss.nasa_edition import NUMBERS, SHA256, first_difference, number_digest
from amnl.cmapss.text import numbers


@dataclass(frozen=True)
class Source:
    """Where the files come from, and what their bytes should be.

    Its `str` is the identity of the data: records and checkpoints go by it. An emulated fleet is
    known by the bytes of all its subsets in the folder, not by its seed alone, which also makes
    fleets of other sizes. So a subset that is added to the folder makes another source of it, and
    what was trained before is trained anew.

    Attributes
    ----------
    folder
        Absolute path of the folder, or of the zip.
    kind
        "nasa" or "emulator".
    sha256
        Checksum of each file. NASA's are always all twelve, so that the name of a record does not
        depend on which other subsets lie in the folder.
    seed
        Of the emulator.
    subsets
        Those whose three files are there.
    """

    folder: Path
    kind: str
    sha256: dict[str, str]
    seed: int | None = None
    subsets: tuple[str, ...] = SUBSETS

    def __str__(self) -> str:
        if self.kind == "emulator":
            names = [name for subset in self.subsets for name in file_names(subset)]
            digest = hashlib.sha256("".join(f"{n} {self.sha256[n]}\n" for n in names).encode())
            what = f"emulated fleet, seed {self.seed}, {len(names)} files"
        else:
            digest = hashlib.sha256("".join(sorted(self.sha256.values())).encode())
            what = f"NASA C-MAPSS, {len(self.sha256)} files"
        return f"{what}, checksum {digest.hexdigest()[:12]}"

    @property
    def way_out(self) -> str:
        """What to do about a file of this source that cannot be used."""
        if self.kind == "emulator":
            return "Write the fleet again with `amnl data --emulate FOLDER`."
        return WAY_OUT

    def checksum(self, name: str) -> str:
        """SHA-256 that a file's text should have. Raises `DataError` where none is known."""
        if name not in self.sha256:
            raise DataError(f"{self.folder / MANIFEST}: no checksum for {name}. {self.way_out}")
        return self.sha256[name]

    def stored(self, name: str) -> tuple[File, bytes]:
        """A file and its bytes as they lie there. Raises `DataError` when it is not there."""
        file = data_files(self.folder).get(name)
        if file is None:
            missing = f"neither {name} nor {name}.gz is there"
            raise DataError(f"{self.folder}: {missing}. {self.way_out}")
        return file, read_stored(file)

    def text(self, name: str) -> tuple[File, bytes]:
        """A file and its text, unpacked. Raises `DataError` when it is not there, or broken."""
        file, stored = self.stored(name)
        return file, unpacked(file, stored, self.way_out)

    def verify(self, name: str, file: File, text: bytes, engines: int | None = None) -> bool:
        """Check a file's text; True where other bytes spell NASA's numbers, which is noted.

        Raises
        ------
        DataError
            With the first line that differs, when the numbers differ too.
        """
        expected, digest = self.checksum(name), hashlib.sha256(text).hexdigest()
        if digest == expected:
            return False
        where = ""
        try:
            rows = numbers(text, name, file, engines)
            if self.kind == "nasa":
                if number_digest(rows) == NUMBERS[name]:
                    self.note_other_bytes()
                    return True
                where = f" {first_difference(rows, name)}"
        except DataError as error:
            where = f" What is wrong: {error}"
        raise DataError(
            f"{file}: the SHA-256 is {digest[:12]}…, {name} should have {expected[:12]}…; the file "
            f"is damaged or is another edition.{where} {self.way_out}"
        )

    def note_other_bytes(self) -> None:
        """Note that a file spells NASA's numbers in other bytes, once for each folder."""
        note(
            f"{self.folder}: the numbers are NASA's, the bytes are not (line ends, blanks or the "
            "like differ). The numbers count."
        )


def raw_bytes(source: Source, name: str) -> bytes:
    """The text of one of the twelve files, unpacked. Raises `DataError` when it is not there."""
    return source.text(name)[1]


def identify(place: Path) -> tuple[Source, dict[str, File]]:
    """What the files in a folder or a zip are, by their names and the manifest, and the files.

    Raises `DataError` for a broken manifest, and as `data_files`.
    """
    found = data_files(place)
    if MANIFEST not in found:
        return Source(place, "nasa", SHA256, subsets=_whole_subsets(found, SHA256)), found
    manifest = found[MANIFEST]
    try:
        made = json.loads(manifest.read_text(encoding="utf-8"))
        sums = dict(made["sha256"])
        subsets = _whole_subsets(found, sums)
        return Source(place, "emulator", sums, int(made["seed"]), subsets), found
    except (ValueError, KeyError, TypeError, OSError, *BROKEN_ZIP) as error:
        raise DataError(
            f"{manifest}: not the manifest of an emulated fleet ({error!r}); write the fleet again "
            "with `amnl data --emulate FOLDER`."
        ) from error


def _whole_subsets(found: Collection[str], known: Collection[str]) -> tuple[str, ...]:
    return tuple(s for s in SUBSETS if all(n in found and n in known for n in file_names(s)))
