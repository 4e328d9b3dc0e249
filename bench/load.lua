-- wrk sends the documents of a file, one after the other and again from the first, and looks at every answer.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/xml"
  asked = {}
  -- between two documents there is a NUL; the last one has none behind it
  for document in (file:read("*a") .. "\0"):gmatch("(%Z+)%z") do
    table.insert(asked, wrk.format(nil, nil, nil, document))
  end
  file:close()
  number = 0
  right = 0
  wrong = 0
end

function request()
  number = number % #asked + 1
  return asked[number]
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
