"""The index of words, made beside a running site on PostgreSQL: not in a transaction."""

from django.db import migrations

from conversation import search_index


def make(apps, schema_editor):
    search_index.ensure(schema_editor.connection.alias)


def unmake(apps, schema_editor):
    search_index.drop(schema_editor.connection.alias)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("conversation", "0004_last_message_unconstrained")]
    operations = [migrations.RunPython(make, unmake, atomic=False)]
