"""What every transport asks before it lets a client in: who, which version, whence, and whether there is room."""

from typing import Any

from commsite.realtime import auth, json_codec
from commsite.realtime.auth import ClientContext, Refused
from commsite.realtime.codec import Codec, for_version
from commsite.realtime.hub import hub

_ = json_codec  # registers the codecs


def admitted(scope: dict[str, Any]) -> tuple[ClientContext, Codec]:
    """Who comes and what it speaks. Raises Refused; nothing may be awaited before the socket is added to the hub."""
    context, refused = scope.get("client_context"), scope.get("refused")
    if refused is not None:
        raise refused
    if context is None:
        raise Refused(403, "unauthorized")
    codec = for_version(auth.parameters(scope).get("vsn"))
    if codec is None:
        raise Refused(403, "version_unsupported")
    auth.check_origin(scope, context.credential)
    hub.admit(context.identity, context.address)
    return context, codec
