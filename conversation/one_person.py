"""What one person may have over all their conversations is counted by one transaction at a time."""

from django.contrib.auth.models import User


def hold(user_id: int) -> None:
    """Makes whoever else counts for this person wait until the transaction ends; then count, then write.

    Where a conversation is locked too, that comes first. Rows that refer to the person are written meanwhile as
    ever. SQLite needs no lock: a transaction there is the only writer from its start.
    """
    User.objects.select_for_update(no_key=True).filter(pk=user_id).values_list("pk").first()
