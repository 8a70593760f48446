"""Pin NASA's numbers: write `edition.npz` (a checksum a line) and `edition.json` in amnl/cmapss.

    python tools/data/pin_edition.py

The files' bytes are verified first, so that what is pinned is the edition that SHA256 names.
"""

import hashlib
import json
from io import BytesIO
from pathlib import Path

import numpy as np

from amnl import cmapss
from amnl.files import write_atomically

TARGET = Path(cmapss.__file__).with_name("edition.npz")


def main() -> None:
    source = cmapss.find(None, cmapss.SUBSETS)
    checksums, sums = {}, {}
    for name, expected in cmapss.SHA256.items():
        text = cmapss.raw_bytes(source, name)
        if hashlib.sha256(text).hexdigest() != expected:
            raise SystemExit(f"{name} in {source.folder} is not NASA's, byte by byte")
        rows = cmapss.numbers(text, name, name)
        checksums[name] = cmapss.line_checksums(rows)
        sums[name] = {"sha256": expected, "numbers": cmapss.number_digest(rows)}
    packed = BytesIO()
    np.savez(packed, **checksums)
    write_atomically(TARGET, packed.getbuffer())
    write_atomically(TARGET.with_suffix(".json"), (json.dumps(sums, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
