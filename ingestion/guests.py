"""Guests: persons who order without an account are told apart by their e-mail address, and named by a pseudonym."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from pathlib import Path

from regulars.errors import ConfigurationError
from regulars.home import Home

_BLOCK_BYTES = 64


class GuestPseudonyms:
    """account_ids for guests: the same address gives the same one in every run and source of a home, and in no other home.

    The key is made at first need and stays in `var/state`: with another key every guest would be a stranger.

    Raises:
        ConfigurationError: the key file holds something else.
    """

    def __init__(self, home: Home):
        self._file = home.state.parent / "pseudonym.key"
        self._home = home
        self._key = b""

    def account_id(self, address: str) -> tuple[str, list[bytes]]:
        """SQL of the guest's account_id, and its parameters; null where the address is.

        Args:
            address: SQL of the normalised address.
        """
        if not self._key:
            self._key = self._stored_key()
        # HMAC of RFC 2104, which the engine has no function for.
        outer, inner = (bytes(byte ^ pad for byte in self._key.ljust(_BLOCK_BYTES, b"\0")) for pad in (0x5C, 0x36))
        digest = f"sha256(cast(? as blob) || unhex(sha256(cast(? as blob) || encode({address}))))"
        return f"'guest-' || left({digest}, 16)", [outer, inner]

    def _stored_key(self) -> bytes:
        if not self._file.exists():
            self._home.private_folder(self._file.parent)
            _create_once(self._file, secrets.token_hex(32))
        text = self._file.read_text(encoding="ascii", errors="replace").strip()
        if not re.fullmatch("[0-9a-f]{64}", text):
            raise ConfigurationError(
                "this is no pseudonym key: expected 64 hexadecimal digits. Restore it from a backup, for with a new key "
                "every guest would be a stranger",
                file=self._file,
            )
        return bytes.fromhex(text)


def _create_once(path: Path, text: str) -> None:
    """Several extractions may start together: the first one's file stays, and no one sees half a file."""
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=".pseudonym-")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(text + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(aside, path)
        except FileExistsError:
            return
    finally:
        Path(aside).unlink()
