"""`python -m reference` writes the pages anew."""

from __future__ import annotations

from reference.pages import write_pages

if __name__ == "__main__":
    write_pages()
