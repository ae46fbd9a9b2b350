"""Writes when people were last here, in one process with several threads (`tests.support.writers`)."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402 - models exist only after setup()
from django.db import connection  # noqa: E402

from presence import actions  # noqa: E402
from presence.models import LastSeen  # noqa: E402

THREADS, ROUNDS, MOST = 4, 15, 1_000
EPOCH = 1_795_000_000


def rounds(seed: int) -> list[dict[int, int]]:
    """Batches of everybody, each person at some moment, in some order."""
    chance = random.Random(seed)
    people = list(User.objects.values_list("pk", flat=True))
    batches = []
    for _ in range(ROUNDS):
        chance.shuffle(people)
        batches.append({user_id: EPOCH + chance.randrange(MOST) for user_id in people})
    return batches


def write(batch: dict[int, int]) -> None:
    try:
        actions.store_last_seen(batch)
    finally:
        connection.close()


def write_all(seed: int) -> dict[int, int]:
    """The highest moment that it wrote of each person."""
    batches = rounds(seed)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(write, batches))
    return {user_id: max(batch[user_id] for batch in batches) for user_id in batches[0]}


def read_all() -> dict[int, float]:
    """What is stored of everybody."""
    return {row.pk: row.at.timestamp() for row in LastSeen.objects.all()}


VERBS = {"write": write_all, "read": read_all}
