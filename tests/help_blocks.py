"""Writes what `--help` says into the pages of the commands, and tells whether it still is so.

Run as a program (`make docs`) it rewrites the blocks of all pages, and `.env.example`; the words
around the blocks stay.
"""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

from zoe_tools import cli
from zoe_tools.config import env_template

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "commands"


def opening(name: str) -> str:
    """How the block of a command begins."""
    return f"```text\n$ zoe {name} --help\n"


def help_of(name: str) -> str:
    """What the program prints, at its usual width and without colour."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = cli.main([*name.split(), "--help"], {"NO_COLOR": "1"}, out=out, err=io.StringIO())
    if code != 0:
        raise RuntimeError(f"zoe {name} --help ended with {code}")
    return "\n".join(line.rstrip() for line in out.getvalue().strip().splitlines()) + "\n"


def with_help(page: str, name: str) -> str:
    """The page with its block as the help is now; a page without a block gets one at its end."""
    block = f"{opening(name)}{help_of(name)}```\n"
    pattern = re.compile(re.escape(opening(name)) + r".*?^```\n", re.MULTILINE | re.DOTALL)
    if pattern.search(page):
        return pattern.sub(lambda _: block, page)
    return f"{page.rstrip()}\n\n## Help\n\n{block}"


def main() -> None:
    """Rewrite the blocks of the pages there are, and the example of settings."""
    (ROOT / ".env.example").write_text(env_template(), "utf-8")
    for name in cli.COMMANDS:
        path = PAGES / f"{name.replace(' ', '-')}.md"
        if path.exists():
            path.write_text(with_help(path.read_text("utf-8"), name), "utf-8")


if __name__ == "__main__":
    main()
