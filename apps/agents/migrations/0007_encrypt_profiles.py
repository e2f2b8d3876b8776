from django.db import migrations

import apps.core.secrets

BEGINNING = "gAAAA"


def encrypt(registry, schema_editor):
    """Encrypts what profiles hold in the clear; run again it does nothing."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT id, config FROM agents_agentprofile")
        for key, config in cursor.fetchall():
            if not config.startswith(BEGINNING):
                cursor.execute(
                    "UPDATE agents_agentprofile SET config = %s WHERE id = %s",
                    [apps.core.secrets.encrypt(config), key],
                )


class Migration(migrations.Migration):
    dependencies = [("agents", "0006_note_what_conversations_use")]

    operations = [
        migrations.AlterField(
            model_name="agentprofile",
            name="config",
            field=apps.core.secrets.EncryptedJson(blank=True, default=dict),
        ),
        migrations.RunPython(encrypt, migrations.RunPython.noop),
    ]
