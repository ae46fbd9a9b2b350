"""The text of an answer with its HTML."""

import logging
from typing import NamedTuple

from conversation.markdown import as_it_is, render

logger = logging.getLogger(__name__)


class Page(NamedTuple):
    """A text and its HTML."""

    text: str
    html: str


def rendered(text: str) -> Page:
    """The text with its HTML. It takes time: better before anything is held."""
    try:
        return Page(text, render(text))
    except (
        Exception
    ):  # no text may keep its run, and with that its conversation's assistant, for ever
        logger.exception("a text of %d characters could not be rendered", len(text))
        return Page(text, as_it_is(text))
