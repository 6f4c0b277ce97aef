"""The e-mail address that identifies a person, however it was typed."""

from __future__ import annotations

import re
import unicodedata

import idna

_LOCAL_PART = re.compile(r"[^\s@,;:<>()\[\]\"\\\x00-\x1f\x7f]{1,64}")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST = 254


def normalised_email(address: str) -> str | None:
    """The address in Unicode's composed form, lower case, without surrounding blanks, its domain in ASCII (UTS 46).

    Returns:
        None when the text is no single address: not `local@domain.tld`, or with blanks, control characters or quotes.
        Dots and `+` tags stay: only some providers ignore them, and for the others they tell two persons apart.
    """
    composed = unicodedata.normalize("NFC", unicodedata.normalize("NFC", address).strip().lower())
    local, _, domain = composed.rpartition("@")
    if not _LOCAL_PART.fullmatch(local):
        return None
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except UnicodeError:
            return None
    if len(local) + 1 + len(domain) > _LONGEST or not _DOMAIN.fullmatch(domain):
        return None
    return f"{local}@{domain}"
