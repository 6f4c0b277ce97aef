"""Memberships → the outside world: plan, guard, push, read back, ledger."""
