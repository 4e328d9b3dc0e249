"""``python -m oadr_app`` is the command ``oadr``."""

from oadr_app.cli import main

if __name__ == "__main__":
    main()
