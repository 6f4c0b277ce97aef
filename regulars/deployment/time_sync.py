"""Whether the machine's clock is kept in time: known_at and the cut of a night are only as good as it."""

from __future__ import annotations

import ctypes

from regulars.errors import ConfigurationError

UNSYNCHRONISED = 5
SIZE_OF_TIMEX = 512  # more than any platform's; all zero means: read, change nothing


def kernel_clock_state() -> int:
    """What adjtimex(2) says: 0 to 4 synchronised, 5 not, -1 when this process may not ask."""
    return int(ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(SIZE_OF_TIMEX)))


def check_clock(state: int, unsynchronised: str) -> str:
    """One line on the clock.

    Args:
        state: what `kernel_clock_state` said.
        unsynchronised: refuse or allow.

    Raises:
        ConfigurationError: nothing keeps the clock in time, and that is not allowed.
    """
    if state == UNSYNCHRONISED and unsynchronised != "allow":
        raise ConfigurationError(
            "the clock of this machine is not synchronised, so that nobody knows when a row was learned. Start chrony or "
            "systemd-timesyncd on the host; where the hypervisor keeps the time, set REGULARS_UNSYNCHRONISED_CLOCK=allow in .env"
        )
    if state == UNSYNCHRONISED:
        return "the clock is not synchronised by this kernel; allowed by REGULARS_UNSYNCHRONISED_CLOCK"
    return "the clock could not be asked" if state < 0 else "the clock is synchronised"
