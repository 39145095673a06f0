"""Makes integrations."""

import factory
from factory.django import DjangoModelFactory

from integrations.models import Integration


class IntegrationFactory(DjangoModelFactory[Integration]):
    class Meta:
        model = Integration

    tenant_id = factory.Faker("uuid4", cast_to=None)
    base_url = "https://example.atlassian.net"
    email = "jira@example.com"
    api_token = "an-api-token"
    project_key = "SCRUM"
    issue_type = "Task"
