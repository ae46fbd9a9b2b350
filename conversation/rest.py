"""How this room speaks REST: its base view, its throttle, and its shapes in the OpenAPI document."""

from typing import Any, cast

import msgspec
from drf_spectacular.utils import OpenApiParameter
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import ScopedRateThrottle
from rest_framework.views import APIView

from commsite.clients.schema import Problem


class WriteThrottle(ScopedRateThrottle):
    """Counts what changes something; reading is not held up."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Reads are allowed; writes as often as the scope's rate says."""
        return request.method in SAFE_METHODS or super().allow_request(request, view)


class ConversationView(APIView):
    """Base of the views of conversations."""

    throttle_classes = (WriteThrottle,)
    throttle_scope = "conversation_write"


def me(request: Request) -> int:
    """Who asks."""
    return cast("int", request.user.pk)  # nobody anonymous gets here


# --- Shapes in the OpenAPI document --------------------------------------------------------------
def described(kind: Any) -> dict[str, Any]:
    """The JSON schema of a wire shape, its parts written out in place."""
    (schema,), parts = msgspec.json.schema_components([kind], ref_template="{name}")
    return dict(_written_out(schema, parts))


def _written_out(node: Any, parts: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_written_out(item, parts) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _written_out(parts[node["$ref"]], parts)
    return {key: _written_out(value, parts) for key, value in node.items()}


def pages_of(kind: Any) -> dict[str, Any]:
    """The JSON schema of a page of such shapes."""
    link = {"type": "string", "format": "uri", "nullable": True}
    return {
        "type": "object",
        "required": ["results", "next", "previous"],
        "properties": {
            "results": {"type": "array", "items": described(kind)},
            "next": link,
            "previous": link,
        },
    }


def takes(command: Any) -> dict[str, Any]:
    """The request body of a command."""
    return {"application/json": described(command)}


CURSOR = [
    OpenApiParameter("cursor", str, description="As found in `next` and `previous`."),
    OpenApiParameter("limit", int, description="Rows of a page, 50 by default, at most 200."),
]
REFUSED_READ: dict[int, Any] = dict.fromkeys((400, 401, 404, 429), Problem)
REFUSED_WRITE: dict[int, Any] = dict.fromkeys((400, 401, 403, 404, 429), Problem)
REFUSED_CHANGE: dict[int, Any] = REFUSED_WRITE | dict.fromkeys((409, 413), Problem)
