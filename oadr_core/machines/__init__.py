"""The state machines of OpenADR, as tables."""
