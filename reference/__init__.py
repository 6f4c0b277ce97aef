"""The reference pages under docs/reference/: `make docs` writes them."""
