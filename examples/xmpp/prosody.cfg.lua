-- Prosody for OpenADR: VENs log in with their certificates, and reach the VTN and nobody else.
-- Read by Prosody 0.12 with the modules of Debian's package prosody-modules; docs/xmpp.md goes through it.

admins = {}
allow_registration = false
plugin_paths = { "/usr/lib/prosody/modules" }
data_path = "/var/lib/prosody"
pidfile = "/run/prosody/prosody.pid"
log = { info = "/var/log/prosody/prosody.log" }

modules_enabled = {
	"disco";    -- VENs find the services of the VTN
	"firewall"; -- VENs do not reach each other
	"limits";   -- no VEN takes more than its share
	"ping";     -- a VEN finds out whether it is still connected
	"posix";
	"roster";   -- unused, but presence needs it
	"saslauth";
	"smacks";   -- a session outlives a link that breaks
	"tls";
}
modules_disabled = { "offline", "s2s" } -- nothing is kept for a VEN that is away: the VTN does that; no other servers

interfaces = { "*" }
c2s_ports = { 5222 }
c2s_require_encryption = true

-- The largest report has to fit: above this the server closes the stream. A report has many small elements.
c2s_stanza_size_limit = 1048576
c2s_max_child_elements = 100000
component_stanza_size_limit = 1048576

limits = { c2s = { rate = "2mb/s" } }
unlimited_jids = { "vtn.example@oadr.example" } -- a VTN that logs in as a client speaks for all VENs

smacks_hibernation_time = 300

-- Only this machine may connect as the VTN's component, and a VTN that comes again takes the place of its lost link.
component_interface = "127.0.0.1"
component_ports = { 5347 }
component_conflict_resolve = "kick_old"

VirtualHost "oadr.example"
	authentication = "ccert"         -- SASL EXTERNAL; the name comes from the certificate
	certificate_match = "xmppaddr"
	firewall_scripts = { "/etc/prosody/vens-apart.pfw" }
	ssl = {
		certificate = "/etc/prosody/certs/xmpp.crt";
		key = "/etc/prosody/certs/xmpp.key";
		cafile = "/etc/prosody/certs/ca-of-xmpp-clients.crt";
		verify = { "peer" };
		protocol = "tlsv1_2+";
		ciphers = "HIGH:!aNULL:!eNULL:!3DES:@STRENGTH"; -- with the two suites of the profile (rule 67)
	}

Component "vtn.oadr.example"
	component_secret = "a long secret of your own"
