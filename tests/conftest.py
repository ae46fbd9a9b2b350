"""Fixtures every suite shares; servers and clients of integration tests are in `tests/support`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

HERE = Path(__file__).parent

hypothesis.settings.register_profile(
    "ci", max_examples=100, deadline=None, derandomize=True, print_blob=True
)
hypothesis.settings.register_profile("nightly", max_examples=2_000, deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks tests by the folder they live in, and gives the slow folders more time."""
    for item in items:
        folder = item.path.relative_to(HERE).parts[0]
        if folder in ("integration", "browser"):
            item.add_marker(getattr(pytest.mark, folder))
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(120))


@pytest.fixture(autouse=True)
def quick_passwords(settings: SettingsWrapper) -> None:
    """Argon2 is slow on purpose; a test that is not about it should not wait for it."""
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.MD5PasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
