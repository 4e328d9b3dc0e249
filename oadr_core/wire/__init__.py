"""Between bytes and messages: the schema, the codec, the lenient reader, and the dict view."""
