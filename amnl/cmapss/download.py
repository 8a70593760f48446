"""NASA's archive, downloaded and unpacked."""

import hashlib
import tempfile
from pathlib import Path

from amnl.cmapss.errors import DataError
from amnl.cmapss.folder import data_files, read_stored
from amnl.cmapss.nasa_edition import SHA256
from amnl.files import FileError, write_atomically

ARCHIVES = {  # address: SHA-256
    "https://data.nasa.gov/docs/legacy/CMAPSSData.zip": (
        "74bef434a34db25c7bf72e668ea4cd52afe5f2cf8e44367c55a82bfd91a5a34f"
    ),
    "https://phm-datasets.s3.amazonaws.com/NASA/"
    "6.+Turbofan+Engine+Degradation+Simulation+Data+Set.zip": (
        "c9c5dec12a945a82e8bb4446589d7fb3cc057b5e5d81fa1a12e25ee9912ad3b2"
    ),
}


def fetch(folder: Path) -> None:
    """Download NASA's archive (12 MB) and unpack its twelve files, each verified, into `folder`.

    Tries NASA's open-data portal, then the PCoE copy.

    Raises
    ------
    DataError
        When neither can be had.
    FileError
        When `folder` cannot be written.
    """
    import pooch

    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A folder of its own: another process may be fetching too.
        scratch = tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-")
    except OSError as error:
        raise FileError(
            f"cannot write to the cache {folder}: {error.strerror}. Set AMNL_CACHE_DIR to a folder "
            "that can be written."
        ) from error
    problems = []
    with scratch as path:
        for url, sha in ARCHIVES.items():
            try:
                archive = pooch.retrieve(
                    url, known_hash=f"sha256:{sha}", path=path, fname="nasa.zip"
                )
                break
            except Exception as error:  # pooch raises whatever requests and urllib3 raise
                problems.append(f"{url}: {error}")
        else:
            raise DataError(
                "could not download C-MAPSS from NASA:\n  "
                + "\n  ".join(problems)
                + "\nFetch CMAPSSData.zip by hand and set AMNL_DATA_DIR to it. Or do without "
                "NASA's files: `amnl data --emulate FOLDER`, and DATA=emulate on a page."
            )
        unpack(Path(archive), folder)


def unpack(archive: Path, folder: Path) -> None:
    """Take the twelve files out of NASA's zip (or the zip inside the PCoE zip), each verified.

    Raises `DataError`, before it writes anything, for an archive that is not NASA's.
    """
    found, texts = data_files(archive), {}
    for name, expected in SHA256.items():
        if name not in found:
            raise DataError(f"{archive}: no {name} inside; this is not NASA's CMAPSSData.zip")
        texts[name] = read_stored(found[name])
        if hashlib.sha256(texts[name]).hexdigest() != expected:
            raise DataError(f"{archive}: {name} inside is not NASA's, its SHA-256 differs")
    for name, text in texts.items():
        write_atomically(folder / name, text)
