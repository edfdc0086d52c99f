"""`zoe` and `python -m zoe_tools`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line of this process."""
    from zoe_tools.cli import main as run  # noqa: PLC0415 - so that Ctrl-C while importing is quiet

    sys.exit(run())


if __name__ == "__main__":
    main()
