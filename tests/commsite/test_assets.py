"""Browsers keep what is named after its content, and nothing else, for good."""

from __future__ import annotations

import pytest

from commsite.assets import FOREVER, keep_what_has_its_hash


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("/static/assets/site-D0GSQ1wx.js", FOREVER),
        ("/static/icons.svg", "max-age=60, public"),
        ("/static/admin/css/base.css", "max-age=60, public"),
    ],
)
def test_only_what_has_its_hash_in_its_name_is_kept(url: str, kept: str) -> None:
    headers = {"Cache-Control": "max-age=60, public"}
    keep_what_has_its_hash(headers, "/srv" + url, url)
    assert headers == {"Cache-Control": kept}
