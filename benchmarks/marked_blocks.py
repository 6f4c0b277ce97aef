"""Parts of a page that a program writes, between markers on lines of their own; what stands around them is written by hand."""

from __future__ import annotations

import re

from regulars.errors import InputError


def block(page: str, name: str) -> str:
    """What stands between the markers of that name.

    Raises:
        InputError: the page has no such markers.
    """
    start, end = _place(page, name)
    return page[start:end]


def replaced(page: str, name: str, content: str) -> str:
    """The page with new content between the markers of that name; see `block`."""
    start, end = _place(page, name)
    return f"{page[:start]}{content}{page[end:]}"


def _place(page: str, name: str) -> tuple[int, int]:
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    found = re.search(f"{re.escape(begin)}\n(.*?)\n{re.escape(end)}", page, re.S)
    if found is None:
        raise InputError(f"the page has no place for {name}: expected {begin} and {end} on lines of their own; put them back")
    return found.span(1)
