"""Addresses of the machine itself, the only ones that may be spoken to in the open."""

from __future__ import annotations

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether the name or address of a host means this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
