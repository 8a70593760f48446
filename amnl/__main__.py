"""`amnl`, and `python -m amnl`: the command line, from its first moment to its last byte."""

from amnl._stopping import answered


def main() -> None:
    """Entry point of the `amnl` command."""
    with answered():
        from amnl import _streams
        from amnl.cli import app  # here: a Ctrl-C during the import is answered, too

        _streams.prepare()
        try:
            app(prog_name="amnl")
        finally:
            _streams.finish()


if __name__ == "__main__":
    main()
