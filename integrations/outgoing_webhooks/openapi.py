"""Parameters of webhooks in the OpenAPI document."""

from integrations.openapi import SAME_TENANT, TENANT
from killthenoise.api.openapi import path_id

TAG = "Webhooks"
ENDPOINT = [*TENANT, path_id("endpoint_id", "The webhook.")]
DELIVERY = [*ENDPOINT, path_id("delivery_id", "The delivery.")]
FIRST_ENDPOINT = SAME_TENANT | {"endpoint_id": "$response.body#/data/0/id"}
THAT_ENDPOINT = SAME_TENANT | {"endpoint_id": "$response.body#/data/id"}
SAME_ENDPOINT = SAME_TENANT | {"endpoint_id": "$request.path.endpoint_id"}
FIRST_DELIVERY = SAME_ENDPOINT | {"delivery_id": "$response.body#/data/0/id"}
