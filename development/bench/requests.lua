-- Requests for wrk: `wrk … -s requests.lua URL -- METHOD PATH TENANT FIRST COUNT`.
-- GROUP in the path becomes the id of one of COUNT groups, numbered from FIRST, in turn.

local BODY = '{"title": "Export drops rows", "description": "As an analyst I want '
  .. 'every row.\\n\\n- Open the export\\n- Compare it with the list"}'

local method, path, first, count
local sent = 0

-- development.bench.group_ids, in Lua
local function group_id(number)
  local spread = number * 2654435761 % 4294967296
  return string.format("%08x-0000-4000-8000-%012x", spread, number)
end

function init(args)
  method, path = args[1], args[2]
  first, count = tonumber(args[4]), tonumber(args[5])
  wrk.headers["X-Tenant-ID"] = args[3]
  wrk.headers["Content-Type"] = "application/json"
  if method == "POST" then wrk.body = BODY end
end

function request()
  local id = group_id(first + sent % count)
  sent = sent + 1
  return wrk.format(method, (path:gsub("GROUP", id)))
end

function done(summary, latency)
  local errors = summary.errors
  local lost = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    'JSON {"seconds": %f, "responses": %d, "errors": %d, "lost": %d, '
      .. '"p50": %f, "p99": %f}\n',
    summary.duration / 1e6, summary.requests, errors.status, lost,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
  ))
end
