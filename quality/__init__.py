"""The gates between stages: what must hold before a night may go on."""
