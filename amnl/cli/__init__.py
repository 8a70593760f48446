"""The command line: `amnl data`, `train`, `predict`, `sweep`, `report`, `init`, `weigh`, `bench`.

A file a command, and beside them what they share: options, paths, output, progress.

Progress and errors go to standard error, results to standard output; `--json` prints one JSON
object there and nothing else. A failed command says why in one message.

Exit status: 0 done, 1 failed, 2 a command line that no machine could obey, 130 stopped by Ctrl-C,
143 by SIGTERM.
"""
