from reference.pages import FOLDER, pages


def test_the_reference_says_what_the_code_says() -> None:
    for name, text in pages().items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, f"docs/reference/{name} is stale: run `make docs`"
