"""What a structure of bounds has in common with others: a bound that bounds nothing, or all, is a mistake."""

import msgspec

from oadr_core.errors import LocalProtocolError


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds, each a whole number.

    :raises LocalProtocolError: one of them is none, or is less than 1; the text names it.
    """

    def __post_init__(self) -> None:
        """Look at each of them."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise LocalProtocolError(
                    f"{type(self).__name__}: {name} is {value!r}; it must be a whole number, 1 at least"
                )
