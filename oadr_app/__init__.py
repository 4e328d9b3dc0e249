"""The runnable product: the command ``oadr``, its configuration, its storage and what it prints."""
