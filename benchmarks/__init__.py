"""How long a night takes, how much memory, and how far that is from the bare engines."""
