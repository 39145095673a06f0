from django.db import migrations

LIVE = ["pending", "unknown", "created"]


def rename_keys(apps, schema_editor):
    """Give the requests of items without a ticket the key that their worker now uses.

    Otherwise the item of a worker that died after its ticket was created, and whose
    ticket was unlinked since, would get another one.
    """
    items = apps.get_model('issues', 'JobItem').objects.filter(ok=False)
    requests = apps.get_model('issues', 'TicketRequest').objects
    for pk, tenant_id in items.values_list('pk', 'job__tenant_id').iterator():
        of_item = requests.filter(
            tenant_id=tenant_id, idempotency_key=f'job:{pk}', state__in=LIVE
        )
        of_item.update(idempotency_key=f'§job:{pk}')


class Migration(migrations.Migration):

    dependencies = [
        ('issues', '0016_gone_tickets'),
    ]

    operations = [migrations.RunPython(rename_keys, migrations.RunPython.noop)]
