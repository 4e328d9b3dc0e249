"""OpenADR 2.0b over XMPP."""
