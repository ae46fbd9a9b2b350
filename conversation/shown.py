"""Which messages pages show: of alternatives the selected one, and no answer to a request that is not shown itself."""

from django.db.models import F, Q


def shown(message: str = "") -> Q:
    """Those messages; `message` leads there from the table that is filtered, as in "message__"."""
    place, asked = f"{message}branch_of", f"{message}parent"
    is_selected = Q(**{place: None}) | Q(**{f"{place}__selected_branch": F(f"{message}id")})
    is_asked = (
        Q(**{asked: None})
        | Q(**{f"{asked}__branch_of": None})
        | Q(**{f"{asked}__branch_of__selected_branch": F(f"{asked}_id")})
    )
    return is_selected & is_asked
