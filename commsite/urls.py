"""Every address of the site that speaks HTTP; sockets are routed in ``commsite.asgi``."""

from importlib.util import find_spec

from csp.decorators import csp_update
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.utils.decorators import method_decorator
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView


def _include(prefix: str, module: str) -> list[URLPattern | URLResolver]:
    package = module.rpartition(".")[0]
    exists = find_spec(package) is not None and find_spec(module) is not None
    return [path(prefix, include(module))] if exists else []


@method_decorator(csp_update({"style-src": "'unsafe-inline'"}), name="dispatch")
class SchemaPage(SpectacularSwaggerSplitView):
    """The API's page: its scripts are files of ours, its styles are partly inline."""


urlpatterns: list[URLPattern | URLResolver] = [
    *_include("", "commsite.operations"),
    *_include("", "conversation.pages"),
    *_include("", "commsite.clients.pages"),
    *_include("api/v1/", "commsite.clients.urls"),
    *_include("api/v1/", "conversation.urls"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SchemaPage.as_view(url_name="schema"), name="schema-page"),
    path("admin/", admin.site.urls),
]
