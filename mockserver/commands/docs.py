"""`inferneo-mock docs`: the documents, from the checkout or the wheel, on stdout."""

from __future__ import annotations

import argparse

from mockserver.manual import page, pages, summary


def configure(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="one page; without it all are listed")
    parser.epilog = "A page is Markdown, an example is a file that runs: inferneo-mock docs examples/test_first"


def run(options: argparse.Namespace) -> int:
    """Print it. Raises `UnknownPageError` for a page that is not there."""
    if options.name is not None:
        print(page(options.name), end="")
        return 0
    known = pages()
    width = max(map(len, known))
    for name, file in known.items():
        print(f"{name:{width}}  {summary(file)}")
    return 0
