"""What a question asks to be looked for, by grammar alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation.assistant.question import Command, command_of, wanted, without_address


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ('where is "the deploy key"?', ['"the deploy key"']),
        ("who said “never again” and „gut so“", ['"never again"', '"gut so"']),
        ("what does `retry_after_ms` mean", ["retry_after_ms"]),
        ("look at src/main.py please", ["src/main.py"]),
        ("why E501 and not ruff-2?", ["E501", "ruff-2"]),
        ("is ModelServer better than modelClient", ["ModelServer", "modelClient"]),
        ("django.db.models or a::b", ["django.db.models", "a::b"]),
        ("don't shout 'stop it' at people's dogs", ['"stop it"']),
    ],
)
def test_quotes_and_names_are_looked_for_as_they_are(text: str, exact: list[str]) -> None:
    assert wanted(text).exact == exact


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("When did we talk about the deployment?", ["talk", "deployment"]),
        ("who has the KEY, the key?", ["KEY"]),
        ("is it so?", []),
        ("Wann war das Treffen in Köln", ["Wann", "war", "das", "Treffen", "Köln"]),
        ("", []),
    ],
)
def test_other_words_count_where_they_carry_meaning(text: str, words: list[str]) -> None:
    assert wanted(text).words == words


def test_nothing_is_looked_for_twice_and_not_too_much() -> None:
    found = wanted(" ".join(f'"{number} {number}"' for number in (1, 1, 2, 3, 4, 5)))

    assert found.exact == ['"1 1"', '"2 2"', '"3 3"']


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("@assistant where is it?", "where is it?"),
        ("@Assistant: /search x", "/search x"),
        ("hello @assistant", "hello"),
        (
            "mail me@assistant.example or ask @assistants",
            "mail me@assistant.example or ask @assistants",
        ),
    ],
)
def test_the_address_is_no_part_of_the_question(text: str, rest: str) -> None:
    assert without_address(text) == rest


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/search deploy key", Command("search", "deploy key")),
        ("/Search\ndeploy\nkey", Command("search", "deploy\nkey")),
        ("/who", Command("who", "")),
        ("/etc/hosts is missing", None),
        ("/", None),
        ("not a /command", None),
        ("/2nd try", None),
    ],
)
def test_a_slash_at_the_beginning_makes_a_command(text: str, command: Command | None) -> None:
    assert command_of(text) == command


@given(st.text(max_size=300))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    found = wanted(without_address(text))

    assert all(words.strip() for words in [*found.exact, *found.words])
    command_of(text)


@pytest.mark.parametrize(("begin", "end"), ["“”", "«»", "„“"])
def test_a_quotation_that_is_not_closed_does_not_reach_into_the_next(begin: str, end: str) -> None:
    assert wanted(f"{begin}one {begin}two words{end}").exact == ['"two words"']
