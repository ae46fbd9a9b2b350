"""Every address of the site that speaks HTTP; sockets are routed in ``commsite.asgi``."""

from csp.decorators import csp_update
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.utils.decorators import method_decorator
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from commsite.rest import NoSuchAddress

handler400 = "commsite.error_pages.refused"
handler500 = "commsite.error_pages.crashed"


@method_decorator(csp_update({"style-src": "'unsafe-inline'"}), name="dispatch")
class SchemaPage(SpectacularSwaggerSplitView):
    """The API's page: its scripts are files of ours, its styles are partly inline."""


urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("commsite.operations")),
    path("", include("conversation.pages")),
    path("", include("presence.pages")),
    path("", include("commsite.clients.pages")),
    path("api/v1/", include("commsite.clients.urls")),
    path("api/v1/", include("conversation.urls")),
    path("api/v1/", include("conversation.assistant.urls")),
    path("api/v1/", include("presence.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SchemaPage.as_view(url_name="schema"), name="schema-page"),
    re_path("^api/", NoSuchAddress.as_view()),
    path("admin/", admin.site.urls),
]
