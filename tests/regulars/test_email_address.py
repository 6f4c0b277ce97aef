import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regulars.email_address import normalised_email


@pytest.mark.parametrize(
    ("given_address", "expected"),
    [
        ("ann@example.com", "ann@example.com"),
        ("  Ann@EXAMPLE.Com\t", "ann@example.com"),
        ("ann+shop@example.com", "ann+shop@example.com"),
        ("a.n.n@example.com", "a.n.n@example.com"),
        ("jo\u0308rg@example.com", "j\u00f6rg@example.com"),
        ("info@M\u00dcLLER.example", "info@xn--mller-kva.example"),
        ("info@stra\u00dfe.example", "info@xn--strae-oqa.example"),
        ("info@xn--mller-kva.example", "info@xn--mller-kva.example"),
        ("o'brien@example.co.uk", "o'brien@example.co.uk"),
        ("x@1.example", "x@1.example"),
    ],
)
def test_same_person_same_address(given_address: str, expected: str) -> None:
    assert normalised_email(given_address) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "@", "ann", "ann@", "@example.com", "ann@example", "ann@@example.com", "a b@example.com", "ann@exa mple.com",
        "ann@.com", "ann@example..com", "ann@-example.com", "ann@example.com.", "ann@127.0.0.1", "Ann <ann@example.com>",
        "ann@example.com,bob@example.com", "ann@example.com;", '"ann"@example.com', "ann\0@example.com", "a" * 65 + "@example.com",
        "ann@" + "a" * 64 + ".com", "ann@" + "a." * 130 + "com", "ann@\u2603\ufe0f..example", "ann@exa_mple.com",
    ],
)  # fmt: skip
def test_text_that_is_no_address(text: str) -> None:
    assert normalised_email(text) is None


@given(st.one_of(st.emails(), st.text(max_size=30), st.from_regex(r"[^@\s]{1,10}@[a-zäöüß]{1,10}\.[a-z]{2,5}", fullmatch=True)))
def test_normal_form_is_final(text: str) -> None:
    normal = normalised_email(text)
    if normal is not None:
        assert normalised_email(normal) == normal
        assert normalised_email(f" {text}\n") == normal
        assert unicodedata.is_normalized("NFC", normal)
        assert normal == normal.lower()
        assert normal.rpartition("@")[2].isascii()
