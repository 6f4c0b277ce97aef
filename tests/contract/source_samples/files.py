"""A shop of files for the contract of sources."""

from pathlib import Path
from typing import Any

SECRETS = ("canary@example.com", "Canary")


def prepare(home: Path) -> dict[str, Any]:
    """Put a small shop there, with a guest, a bad row and an excluded one; its settings in config/sources.yml."""
    folder = home / "export"
    folder.mkdir()
    (folder / "orders.csv").write_text(
        "order_id,account_id,email,ordered_at,net_revenue\n"
        "1,7,,2026-02-01 10:00:00,12.50\n2,,canary@example.com,2026-02-02,1\n3,7,,bad,1\n\n"
    )
    (folder / "customers.csv").write_text("account_id,email,first_name,registered_at\n7,canary@example.com,Canary,2026-01-01\n")
    return {"path": "export", "time_zone": "UTC"}


def change(home: Path) -> None:
    """Something new and something different happens at the shop."""
    with (home / "export" / "orders.csv").open("a") as stream:
        stream.write("4,7,,2026-02-03,9\n")
