"""Cleaning of text from people."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from killthenoise.api.text import clean_text, clean_title


@pytest.mark.parametrize(
    ("typed", "clean"),
    [
        ("a\r\nb\rc\nd", "a\nb\nc\nd"),
        ("  a\tb  ", "a\tb"),
        ("a\x00\x07\x1b\x7f\x85\x9fb", "ab"),
        ("a\ud800b", "ab"),
        ("\u202eabc\u2066\u2069", "abc"),
        ("<script>alert(1)</script> & “”", "<script>alert(1)</script> & “”"),
        ("👩‍👩‍👧 שלום\u200f مرحبا", "👩‍👩‍👧 שלום\u200f مرحبا"),
        (" \x00 ", ""),
        ("  - a\n  - b \n", "  - a\n  - b"),
        ("\n \t\n\u2028\n\t- a\n- b\n \n", "\t- a\n- b"),
        ("\r\n  a\r\n\r\n", "a"),
        ("\u2028  a\n b", "  a\n b"),
    ],
)
def test_only_unwanted_characters_are_removed(typed: str, clean: str) -> None:
    assert clean_text(typed) == clean


@pytest.mark.parametrize(
    ("typed", "clean"),
    [
        ("a\r\nb", "a b"),
        ("a \n\t\n b", "a b"),
        ("\na\u2028b\n", "a b"),
        ("a  b", "a  b"),
        ("a \x85\t\u3000\n\u2029 b", "a b"),
    ],
)
def test_title_becomes_one_line(typed: str, clean: str) -> None:
    assert clean_title(typed) == clean


@given(st.text(st.sampled_from(" \t\n\r\u2028\u200b\u0301\x00-a") | st.characters()))
def test_clean_text_stays_the_same_if_cleaned_again(typed: str) -> None:
    assert clean_text(clean_text(typed)) == clean_text(typed)
    assert clean_text(f"\n \n{typed} \n") == clean_text(typed)
    assert clean_title(clean_title(typed)) == clean_title(typed)


INVISIBLE = [
    *("\u200b", "\u200c\u200d", "\ufeff", "\u2060\u00ad", "\u200e\u200f", "\u180e"),
    *("\u115f\u1160", "\u3164", "\uffa0", "\u2800", "\u034f", "\u17b4", "\ufe0f"),
    *("\u0301", "\u20dd", "\u0903", "\u2065", "\ufff0", "\ufdd0", "\u3000 \u2003"),
    *("\U000e0041", "\U000e0100", "\U0001d159", "\u2061\u2064"),
]


@pytest.mark.parametrize("typed", INVISIBLE, ids=ascii)
@pytest.mark.parametrize("clean", [clean_text, clean_title])
def test_text_that_shows_nothing_is_blank(
    clean: Callable[[str], str], typed: str
) -> None:
    assert clean(f"{typed}\n {typed}") == ""


@pytest.mark.parametrize(
    "typed",
    [
        *(
            "👩\u200d👩\u200d👧",
            "می\u200cخواهم",
            "e\u0301",
            "❤\ufe0f",
            "हिन्दी",
            "한글",
            "⠓⠊",
        ),
        *("\u200b.", "\U000e0041a", "\ue000", "\U0001fae9", "﷽", "—", "0"),
    ],
    ids=ascii,
)
def test_text_that_shows_something_keeps_its_invisible_characters(typed: str) -> None:
    assert clean_title(typed) == clean_text(typed) == typed


def test_megabyte_of_invisible_characters_takes_no_longer_than_any_other() -> None:
    began = time.process_time()

    assert clean_text("\u200b" * (1024 * 1024 // 3)) == ""

    assert time.process_time() - began < 1


def test_megabyte_of_spaces_is_cleaned_in_linear_time() -> None:
    typed = "a" + " " * 1024 * 1024 + "b"
    began = time.process_time()

    assert clean_title(typed) == typed

    assert time.process_time() - began < 1
