-- wrk sends one document again and again, and looks at every answer.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  wrk.method = "POST"
  wrk.body = file:read("*a")
  wrk.headers["Content-Type"] = "application/xml"
  file:close()
  asked = wrk.format()
  right = 0
  wrong = 0
end

function request()
  return asked
end

function response(status, headers, body)
  if status == 200 and body:find("oadrResponse", 1, true) and body:find("responseCode>200<", 1, true) then
    right = right + 1
  else
    wrong = wrong + 1
  end
end

function done(summary, latency, requests)
  local right, wrong = 0, 0
  for _, thread in ipairs(threads) do
    right = right + thread:get("right")
    wrong = wrong + thread:get("wrong")
  end
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    '\n{"right": %d, "wrong": %d, "failed": %d, "seconds": %f}\n', right, wrong, failed, summary.duration / 1e6
  ))
end
