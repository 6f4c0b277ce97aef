"""From sources to raw tables, with exact accounts."""
