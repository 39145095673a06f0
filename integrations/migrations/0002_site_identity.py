from django.db import migrations, models


def mark_gateway_users(apps, schema_editor):
    """Until now a cloud id was stored only where the gateway is used."""
    integrations = apps.get_model("integrations", "Integration").objects
    integrations.exclude(cloud_id=None).update(uses_gateway=True)


class Migration(migrations.Migration):
    dependencies = [("integrations", "0001_initial")]
    operations = [
        migrations.AddField(
            "integration",
            "uses_gateway",
            models.BooleanField(default=False, editable=False),
        ),
        migrations.RunPython(mark_gateway_users, migrations.RunPython.noop),
    ]
