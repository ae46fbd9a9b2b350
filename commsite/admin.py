"""The admin's name; each app registers its own tables."""

from django.contrib import admin

admin.site.site_header = "Commsite"
admin.site.site_title = "Commsite admin"
admin.site.index_title = "Tables and live connections"
