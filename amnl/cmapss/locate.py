"""Find the files: named, in the environment, or in the cache."""

import os
from collections.abc import Collection
from pathlib import Path

from amnl.cmapss.download import fetch
from amnl.cmapss.errors import DataError
from amnl.cmapss.folder import absolute, cache_dir, data_files
from amnl.cmapss.layout import MANIFEST, SUBSETS, check_subset, file_names
from amnl.cmapss.nasa_edition import SHA256
from amnl.cmapss.source import Source, identify


def find(
    data_dir: str | Path | None = None, subsets: Collection[str] = (), *, download: bool = False
) -> Source:
    """Find the files, plain or .gz, in a folder or a zip, and say what they are.

    Looks in `data_dir`, then in `AMNL_DATA_DIR`, then in the cache. A folder that was named but
    does not hold the files is an error: no other data are put in their place. Reads no more than
    the names, the cache's files with `download` excepted; the bytes are verified when they are
    read.

    Parameters
    ----------
    data_dir
        A folder or a zip.
    subsets
        Their files must be there; when none is named, those of any subset.
    download
        Fetch from NASA what the cache lacks or holds damaged.

    Raises
    ------
    DataError
        When the files are not there, or cannot be downloaded.
    FileError
        When a download cannot be written.
    """
    for subset in subsets:
        check_subset(subset)
    named = data_dir or os.environ.get("AMNL_DATA_DIR")
    place = absolute(named) if named else cache_dir() / "cmapss"
    if download and not named and not _is_whole(place, subsets or SUBSETS):
        fetch(place)
    source, found = identify(place)
    if set(subsets) <= set(source.subsets) and (source.subsets or MANIFEST in found):
        return source
    wanted = [name for s in SUBSETS if s in (subsets or SUBSETS) for name in file_names(s)]
    for name in wanted:
        if name in found:
            source.checksum(name)
    missing = [name for name in wanted if name not in found] if found else ["C-MAPSS files"]
    holds = "it should hold train_FD001.txt … RUL_FD004.txt, plain or .gz."
    if source.subsets:
        holds = f"it holds {', '.join(source.subsets)} alone."
    if download and named:
        holds += f" {obeyed(data_dir)}"
    raise DataError(
        f"{_not_there(missing, place, data_dir)}: {holds} Name a folder or a zip that has them "
        "(--data-dir, or data_dir=), set AMNL_DATA_DIR to it, or download them with `amnl data "
        "--download`. Without NASA's files, `amnl data --emulate FOLDER` writes an emulated fleet "
        "in the same format."
    )


def _not_there(missing: list[str], place: Path, data_dir: str | Path | None) -> str:
    """Which files are missing, and in which place, named by whom."""
    variable = os.environ.get("AMNL_DATA_DIR")
    if not data_dir and not variable:
        return f"no {', '.join(missing)} in the cache ({place})"
    kind = "zip" if place.suffix.lower() == ".zip" else "folder"
    what = f"no {', '.join(missing)} in the" if place.exists() else "there is no"
    return f"{what} {kind} {place}" + ("" if data_dir else ", which AMNL_DATA_DIR names")


def obeyed(data_dir: str | Path | None) -> str:
    """What to say where a folder is named and a download is asked for."""
    what, way = ("The folder", "") if data_dir else ("AMNL_DATA_DIR", "; unset it to download")
    return (
        f"{what} was obeyed, and nothing was downloaded: --download fills the cache, which is for "
        f"when no folder is named{way}."
    )


def _is_whole(place: Path, subsets: Collection[str]) -> bool:
    """Whether the cache holds these subsets, verified; or an emulated fleet, put there by hand."""
    source = Source(place, "nasa", SHA256)
    try:
        if MANIFEST not in data_files(place):
            for name in (name for subset in subsets for name in file_names(subset)):
                source.verify(name, *source.text(name))
    except DataError:
        return False
    return True
