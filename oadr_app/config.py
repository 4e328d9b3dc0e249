"""Configuration files of ``oadr vtn`` and ``oadr ven``: TOML, checked field by field."""

import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from oadr_app.periods import Period
from oadr_http import PREFIX


class ConfigError(Exception):
    """A configuration that cannot be used; the text says what is wrong, and where."""


class Http(msgspec.Struct, forbid_unknown_fields=True):
    """``[http]`` of a VTN: where it listens.

    :param host: the address; anything but loopback needs ``allow_insecure``, as there is no TLS.
    :param port: the port; 0 takes a free one.
    :param prefix: the path before the names of the services.
    :param allow_insecure: listen on an address that others can reach, without TLS and without signatures, so that
        anybody there can pose as any VEN.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    prefix: str = PREFIX
    allow_insecure: bool = False


class Reports(msgspec.Struct, forbid_unknown_fields=True):
    """``[reports]`` of a VTN: what it asks its VENs for.

    :param request: whether it asks for all telemetry of usage that is offered.
    :param sampling: the spacing of readings, at least.
    :param reporting: how often they are reported; None for every reading.
    """

    request: bool = True
    sampling: Period = Period(seconds=10)
    reporting: Period | None = None


class KnownVen(msgspec.Struct, forbid_unknown_fields=True):
    """One ``[[vens]]`` of a VTN: a VEN that it registers.

    :param name: the name that the VEN gives itself.
    :param id: the id that it gets; made up if None.
    """

    name: str
    id: str | None = None


class VtnFile(msgspec.Struct, forbid_unknown_fields=True):
    """The configuration of a VTN.

    :param vtn_id: its id.
    :param state: the file that keeps its state and its readings.
    :param control: the socket through which ``oadr event`` and ``oadr vens`` talk to it; beside the state if None.
    :param poll: how often VENs are asked to poll.
    :param answer_timeout: how long the answer of a VEN is awaited before it is asked again.
    :param missed_polls: after how many polls that did not come a VEN counts as offline.
    :param strict: whether to refuse documents that the schema refuses.
    :param vens: the VENs that are registered; whoever asks if empty.
    """

    vtn_id: str = "oadr-VTN"
    state: Path = Path("vtn.sqlite")
    control: Path | None = None
    poll: Period = Period(seconds=10)
    answer_timeout: Period = Period(seconds=60)
    missed_polls: int = 3
    strict: bool = True
    http: Http = msgspec.field(default_factory=Http)
    reports: Reports = msgspec.field(default_factory=Reports)
    vens: list[KnownVen] = msgspec.field(default_factory=list)

    @property
    def socket(self) -> Path:
        """The control socket."""
        return self.control or self.state.with_suffix(".sock")


class Load(msgspec.Struct, forbid_unknown_fields=True):
    """One ``[[loads]]`` of a VEN: a simulated load that it reports.

    :param resource: the resource.
    :param kilowatt: how much it takes on average.
    :param responds: which share it sheds at each level of a SIMPLE signal that it opted in to, from 0 to 1.
    """

    resource: str = "load"
    kilowatt: float = 10.0
    responds: float = 0.3


class VenFile(msgspec.Struct, forbid_unknown_fields=True):
    """The configuration of a VEN.

    :param name: its name.
    :param vtn: the base URL of its VTN.
    :param ven_id: an id that was agreed beforehand, if one was.
    :param state: the file that keeps its state.
    :param poll: how often to poll; None follows the VTN's wish.
    :param opt: whether it takes part in events: ``optIn`` or ``optOut``.
    :param sampling: how often its loads can be read at most.
    :param strict: whether to refuse answers that the schema refuses.
    :param loads: what it reports.
    """

    name: str = "ven"
    vtn: str = f"http://127.0.0.1:8080{PREFIX}"
    ven_id: str | None = None
    state: Path = Path("ven.state")
    poll: Period | None = None
    opt: str = "optIn"
    sampling: Period = Period(seconds=1)
    strict: bool = False
    loads: list[Load] = msgspec.field(default_factory=lambda: [Load()])


_FileT = TypeVar("_FileT", VtnFile, VenFile)


def read(cls: type[_FileT], path: Path | None, flags: dict[str, Any]) -> _FileT:
    """Read a configuration file, and put flags of the command line over it.

    :param cls: which kind of file.
    :param path: the file; the defaults count if None.
    :param flags: values by dotted name, such as ``http.port``; None is passed over.
    :raises ConfigError: the file cannot be read, or a value cannot be meant so.
    """
    content: dict[str, Any] = {}
    if path is not None:
        try:
            content = tomllib.loads(path.read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path}: {error}") from None
    for name, value in flags.items():
        if value is not None:
            table = content
            *parents, leaf = name.split(".")
            for parent in parents:
                table = table.setdefault(parent, {})
            table[leaf] = value
    try:
        made = msgspec.convert(content, cls, dec_hook=_decode, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise ConfigError(f"{path or 'command line'}: {_plain(str(error))}") from None
    if path is not None:
        _anchor(made, path.parent)
    return made


def _decode(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value).expanduser()
    if kind is Period:
        return Period.read(value if isinstance(value, str) else f"{value}s")
    raise TypeError(f"no {kind.__name__} can stand in a configuration")


def _plain(text: str) -> str:
    return text.replace("Object contains", "there is").replace("`$.", "`").replace("`$`", "the top")


def _anchor(made: VtnFile | VenFile, folder: Path) -> None:
    """Paths in a file are relative to the file."""
    made.state = folder / made.state
    if isinstance(made, VtnFile) and made.control is not None:
        made.control = folder / made.control
