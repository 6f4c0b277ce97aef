"""One module a destination: its file's name is the `type` in config/destinations.yml."""
