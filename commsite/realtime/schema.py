"""From raw payloads to typed commands, with errors that list what is accepted."""

from typing import Any, TypeVar, get_type_hints

import msgspec

from commsite.realtime.envelope import Binary
from commsite.realtime.errors import PushError


class Payload(msgspec.Struct, kw_only=True):
    """Base of all commands on the wire. Unknown members are ignored: newer clients may send more."""


T = TypeVar("T")


def parse(schema: type[T], raw: Any) -> T:
    """A command of type `schema` from JSON bytes, `msgspec.Raw`, or an already decoded object (REST).

    Raises PushError("invalid_payload") with the fault and `expected`: each member and its type.
    """
    if isinstance(raw, Binary):
        raise PushError(
            "invalid_payload", "Expected a JSON object, got binary.", expected=expected(schema)
        )
    try:
        if isinstance(raw, bytes | msgspec.Raw):
            return msgspec.json.decode(raw, type=schema)
        return msgspec.convert(raw, schema)
    except (
        msgspec.ValidationError,
        msgspec.DecodeError,
        UnicodeDecodeError,
        RecursionError,
    ) as error:
        raise PushError("invalid_payload", f"{error}.", expected=expected(schema)) from None


def expected(schema: type) -> dict[str, str]:
    """Each member of a command and what it accepts, in words that fit an error message."""
    if not isinstance(schema, type) or not issubclass(schema, msgspec.Struct):
        return {}
    hints = get_type_hints(schema, include_extras=True)
    return {
        field.encode_name: _describe(
            hints.get(field.name, field.type), is_optional=not field.required
        )
        for field in msgspec.structs.fields(schema)
    }


def _describe(kind: Any, *, is_optional: bool) -> str:
    described = msgspec.json.schema(kind)
    words = _words(described)
    return f"{words}, optional" if is_optional else words


def _words(described: dict[str, Any]) -> str:
    if "anyOf" in described:
        return " or ".join(_words(part) for part in described["anyOf"])
    if "enum" in described:
        return "one of " + ", ".join(map(str, described["enum"]))
    word = str(described.get("type", "any"))
    bounds = [
        f"{label} {described[key]}"
        for key, label in (
            ("minLength", "at least"),
            ("maxLength", "at most"),
            ("minimum", "from"),
            ("maximum", "to"),
            ("pattern", "like"),
            ("format", "as"),
        )
        if key in described
    ]
    return f"{word} ({', '.join(bounds)})" if bounds else word
