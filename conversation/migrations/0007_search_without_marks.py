"""The index of PostgreSQL knows letters without their marks, as SQLite's does; made beside a running site."""

from django.db import migrations

from conversation import search_index


def make(apps, schema_editor):
    search_index.ensure(schema_editor.connection.alias)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("conversation", "0006_files_as_listed")]
    operations = [migrations.RunPython(make, migrations.RunPython.noop, atomic=False)]
