// A client of openapi-typescript and openapi-fetch, with their defaults.
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

const client = createClient<paths>({
  baseUrl: "http://127.0.0.1:8000",
  headers: { "X-Tenant-ID": "550e8400-e29b-41d4-a716-446655440000" },
});

const list = await client.GET("/api/issues/ai");
const group_id = list.data?.data[0]?.id ?? "";

const created = await client.POST("/api/issues/ai/{group_id}/create-jira-ticket", {
  params: { path: { group_id } },
  body: { title: "Dark mode", description: "As a user I want a dark dashboard." },
});
if (created.error?.code === "ticket_exists") {
  console.log(created.error.data?.ticket_url);
}
const key: string | undefined = created.data?.data.ticket_key;
console.log(key);

await client.PUT("/api/issues/ai/{group_id}", {
  params: { path: { group_id } },
  body: { title: "The export fails" },
});

// @ts-expect-error: the document lists every code
console.log(created.error?.code === "no_such_code");
