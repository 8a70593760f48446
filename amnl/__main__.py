"""`amnl`, and `python -m amnl`: the command line, from its first moment to its last byte."""

from amnl.cli.signals import answered


def main() -> None:
    """Entry point of the `amnl` command."""
    with answered():
        from amnl.cli import streams
        from amnl.cli.app import app  # here: a Ctrl-C during the import is answered, too

        streams.prepare()
        try:
            app(prog_name="amnl")
        finally:
            streams.finish()


if __name__ == "__main__":
    main()
