// A client of @hey-api/openapi-ts, with its defaults.
import { client } from "./client/client.gen";
import { createJiraTicket, listGroups, putGroup } from "./client";

client.setConfig({
  baseUrl: "http://127.0.0.1:8000",
  auth: (scheme) =>
    scheme.type === "apiKey" ? "550e8400-e29b-41d4-a716-446655440000" : undefined,
});

const list = await listGroups();
const group_id = list.data?.data[0]?.id ?? "";

const created = await createJiraTicket({
  path: { group_id },
  body: { title: "Dark mode", description: "As a user I want a dark dashboard." },
});
if (created.error?.code === "ticket_exists") {
  console.log(created.error.data?.ticket_url);
}
const key: string | undefined = created.data?.data.ticket_key;
console.log(key);

await putGroup({ path: { group_id }, body: { title: "The export fails" } });

// @ts-expect-error: the document lists every code
console.log(created.error?.code === "no_such_code");
