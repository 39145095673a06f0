from django.db import migrations, models


def identify_tickets(apps, schema_editor):
    """Give the reports of created tickets the site and the id of their requests."""
    requests = apps.get_model("issues", "TicketRequest").objects
    of_report = requests.filter(report=models.OuterRef("pk"))
    reports = apps.get_model("issues", "Report").objects
    reports.filter(models.Exists(of_report)).update(
        jira_issue_id=models.Subquery(of_report.values("jira_issue_id")[:1]),
        base_url=models.Subquery(of_report.values("base_url")[:1]),
    )
    # Until now only the empty report told that a ticket was unlinked.
    groups = apps.get_model("issues", "AIIssueGroup").objects
    of_request = groups.filter(pk=models.OuterRef("group_id"))
    unlinked = requests.filter(models.Exists(of_request), state="created", report=None)
    unlinked.update(unlinked_at=models.F("finished_at"))


class Migration(migrations.Migration):
    dependencies = [("issues", "0003_tickets_by_issue_id")]
    operations = [
        migrations.RunPython(identify_tickets, migrations.RunPython.noop),
    ]
