-- What avob's server does with those who log in, as far as its peers can see it: everybody has logged in as nobody, and
-- the fingerprint of the certificate that was shown for TLS takes the place of the user name in what is sent.

local sha256 = require "util.hashes".sha256;
local split = require "util.jid".split;
local from_base64 = require "util.encodings".base64.decode;

local vtn_fingerprint = module:get_option_string("avob_vtn");
local admitted = module:get_option_set("avob_admitted", {});
local vtn = module:shared("/*/avob/vtn"); -- where the VTN has bound which resource

local services = { EiEvent = true, EiReport = true, EiRegisterParty = true, EiOpt = true, uplink = true };

local function fingerprint_of(session)
	local certificate = session.conn:socket():getpeercertificate();
	if not certificate then return nil; end
	local encoded = certificate:pem():match("%-%-%-%-%-BEGIN CERTIFICATE%-%-%-%-%-(.-)%-%-%-%-%-END");
	return sha256(from_base64((encoded:gsub("%s", ""))), true):sub(-20);
end

module:hook("pre-resource-bind", function (event)
	local session, wanted = event.session, event.resource;
	session.avob_fingerprint = fingerprint_of(session);
	if session.avob_fingerprint ~= vtn_fingerprint and not admitted:contains(session.avob_fingerprint) then
		return false;
	end
	event.resource = session.username; -- which for nobody in particular are the same
	if services[wanted] then
		session.avob_uplink = wanted == "uplink";
		vtn[wanted] = session.username .. "@" .. session.host .. "/" .. session.username;
	end
end);

local function stamp(event)
	local session, stanza = event.origin, event.stanza;
	if session.avob_fingerprint then
		local resource = session.avob_uplink and "uplink" or session.resource;
		stanza.attr.from = session.avob_fingerprint .. "@" .. session.host .. "/" .. resource;
	end
end

for _, kind in ipairs({ "full", "bare", "host" }) do
	module:hook("pre-message/" .. kind, stamp, 100);
end
