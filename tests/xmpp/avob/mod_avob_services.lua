-- The component of avob's server: it lists the services of the VTN, and hands on to it what they are sent.

local st = require "util.stanza";
local split = require "util.jid".split;
local vtn = module:shared("/*/avob/vtn");

local services = { event = "EiEvent", report = "EiReport", registerparty = "EiRegisterParty", opt = "EiOpt" };
local info, items = "http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items";

module:hook("iq-get/host/" .. info .. ":query", function (event)
	event.origin.send(st.reply(event.stanza):query(info)
		:tag("feature", { var = info }):up()
		:tag("feature", { var = "http://openadr.org/openadr2" }):up());
	return true;
end, 100);

module:hook("iq-get/host/" .. items .. ":query", function (event)
	local answer = st.reply(event.stanza):query(items); -- the node that was asked for is not repeated
	if event.stanza.tags[1].attr.node == "http://openadr.org/openadr2#services" then
		for name, service in pairs(services) do
			local node = "http://openadr.org/OpenADR2/" .. service;
			answer:tag("item", { jid = name .. "@" .. module.host, node = node }):up();
		end
	end
	event.origin.send(answer);
	return true;
end, 100);

module:hook("message/bare", function (event)
	local stanza = event.stanza;
	local to = vtn[services[split(stanza.attr.to)] or ""];
	if not to then
		event.origin.send(st.error_reply(stanza, "cancel", "service-unavailable"));
		return true;
	end
	stanza.attr.to = to;
	prosody.core_post_stanza(event.origin, stanza);
	return true;
end, 100);
