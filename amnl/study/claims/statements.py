"""The source's claims by number: what it claims, and how that is judged."""

from typing import NamedTuple

from amnl.study.rows import load_rows


class Statement(NamedTuple):
    """A claim of the source, what the source says for it, and a link to the evidence."""

    claim: str
    source: str
    evidence: str


CLAIMS = {number: Statement(*texts) for number, *texts in load_rows("source_claims").to_numpy()}
# The protocol's rules in plain text, with "the rule above" written out; a test compares.
RULES: dict[int, str] = dict(load_rows("claim_rules").to_numpy())
