"""Errors that people read at 3 a.m.: what is wrong, where, what was expected and what to do.

Every error carries the exit code of the process that it ends:
2 fix configuration or input, 3 a gate or guard stopped the night, 75 try again later.
"""

from __future__ import annotations

import traceback
from pathlib import Path

FIX_CONFIGURATION = 2
STOPPED = 3
TRY_AGAIN = 75


class RegularsError(Exception):
    """Base of all errors that Regulars raises on purpose. Its text never holds personal data or a secret."""

    exit_code = 1


class ConfigurationError(RegularsError):
    """A YAML file says something that cannot be used.

    Args:
        problem: what is wrong, what was expected and what to do, in one or two sentences.
        file: the file at fault.
        key: the dotted path of the key at fault, when one key is.
        line: its line number, counted from 1, when it is known.
    """

    exit_code = FIX_CONFIGURATION

    def __init__(self, problem: str, *, file: Path | str | None = None, key: str | None = None, line: int | None = None):
        where = ""
        if file is not None:
            where = f"{file}:{line}: " if line is not None else f"{file}: "
        if key is not None:
            where += f"{key}: "
        super().__init__(where + problem)
        self.file, self.key, self.line = file, key, line


class InputError(RegularsError):
    """A source gave something that cannot be read as a whole, such as half a gzip. Single bad rows go to quarantine."""

    exit_code = FIX_CONFIGURATION


class ArtefactError(RegularsError):
    """A stored artefact, such as a model file, is not what its manifest says."""

    exit_code = FIX_CONFIGURATION


class GateFailed(RegularsError):
    """A data-quality gate stopped the night: nothing was sent."""

    exit_code = STOPPED


class GuardStopped(RegularsError):
    """The guard judged that a plan looks like an accident: nothing was sent."""

    exit_code = STOPPED


class TryAgain(RegularsError):
    """Nothing is wrong with the configuration or the input; the same command may succeed later."""

    exit_code = TRY_AGAIN


class Unforeseen(RegularsError):
    """Something failed in a way that nobody foresaw.

    Only the kind of the error and the places in our code are told. The words of libraries are not: they quote the values
    that could not be converted, the addresses that were called and the keys that were refused.
    """

    def __init__(self, error: BaseException):
        kind = type(error)
        super().__init__(
            f"{kind.__module__.split('.')[0]} failed unforeseen: {kind.__name__} at {_places(error)}. Its own words are left out, as they "
            "may quote customers' data or a key. Run again; if it comes back, report these places"
        )


def _places(error: BaseException) -> str:
    """Files and lines of the traceback, the latest first, libraries' only where none is ours."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename and "/lib/python" not in frame.filename] or frames
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(own[-5:])) or "an unknown place"
