"""One module a source type: its file name is the `type` in config/sources.yml."""
