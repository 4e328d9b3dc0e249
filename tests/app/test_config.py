"""Configuration: what it says counts, flags go over it, and what is wrong in it is said with its place."""

from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest

from oadr_app.checked import ConfigError
from oadr_app.config import VenFile, VtnFile, read
from oadr_app.ven import VenProgram
from oadr_core import OptType, VenLimits
from oadr_http import ServerLimits
from oadr_xmpp import XmppDialect


def vtn(folder: Path, text: str, **flags: object) -> VtnFile:
    """Read the configuration of a VTN."""
    path = folder / "vtn.toml"
    path.write_text(text)
    return read(VtnFile, path, {name.replace("__", "."): value for name, value in flags.items()})


def ven(folder: Path, text: str, **flags: object) -> VenFile:
    """Read the configuration of a VEN."""
    path = folder / "ven.toml"
    path.write_text(text)
    return read(VenFile, path, flags)


def test_without_a_file_there_are_defaults_that_work_together() -> None:
    at_vtn, at_ven = read(VtnFile, None, {}), read(VenFile, None, {})
    assert at_ven.vtn == f"http://{at_vtn.http.host}:{at_vtn.http.port}{at_vtn.http.prefix}"
    assert at_vtn.socket == Path("vtn.sock")


def test_every_bound_of_the_server_can_be_set_and_is_the_usual_one_if_it_is_not(tmp_path: Path) -> None:
    assert VtnFile().limits.for_server() == ServerLimits()
    told = [f"{one.name} = {one.default + 1:.0f}" for one in fields(ServerLimits)]
    made = vtn(tmp_path, "[limits]\n" + "\n".join(told)).limits.for_server()
    assert made == ServerLimits(**{one.name: one.default + 1 for one in fields(ServerLimits)})


def test_every_bound_of_a_ven_can_be_set_and_is_the_usual_one_if_it_is_not(tmp_path: Path) -> None:
    assert VenFile().limits.for_ven() == VenLimits()
    names = VenLimits.__struct_fields__
    told = [f"{name} = {number}" for number, name in enumerate(names, 1)]
    made = ven(tmp_path, "[limits]\n" + "\n".join(told))
    expected = VenLimits(**{name: number for number, name in enumerate(names, 1)})
    assert made.limits.for_ven() == expected
    made = ven(tmp_path, f'state = "{tmp_path}/ven.state"\n[limits]\n' + "\n".join(told))
    program = VenProgram(made)
    assert program.client.limits == expected
    program.close()


@pytest.mark.parametrize("value", ["0", "-1", "1.5", '"many"', "true"])
def test_a_bound_that_bounds_nothing_is_refused_with_its_place(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError, match=r"limits\.events"):
        ven(tmp_path, f"[limits]\nevents = {value}")


def test_what_the_file_says_counts(tmp_path: Path) -> None:
    made = vtn(
        tmp_path,
        'vtn_id = "grid"\npoll = "1m30s"\nanswer_timeout = 20\nmissed_polls = 5\nstrict = false\n'
        '[http]\nport = 0\nprefix = "/x"\n[reports]\nrequest = false\nsampling = "PT1M"\nreporting = 3600\n'
        '[[vens]]\nname = "a"\nid = "7"\n[[vens]]\nname = "b"\n',
    )
    assert (made.vtn_id, made.missed_polls, made.strict) == ("grid", 5, False)
    assert (made.poll, made.answer_timeout) == (timedelta(seconds=90), timedelta(seconds=20))
    assert (made.http.host, made.http.port, made.http.prefix) == ("127.0.0.1", 0, "/x")
    assert (made.reports.request, made.reports.sampling) == (False, timedelta(minutes=1))
    assert made.reports.reporting == timedelta(hours=1)
    assert [(one.name, one.id) for one in made.vens] == [("a", "7"), ("b", None)]


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    made = vtn(tmp_path, 'state = "a/grid.db"\ncontrol = "c.sock"')
    assert (made.state, made.socket) == (tmp_path / "a/grid.db", tmp_path / "c.sock")
    assert vtn(tmp_path, 'state = "/var/lib/grid.db"').socket == Path("/var/lib/grid.sock")
    assert vtn(tmp_path, "").state == tmp_path / "vtn.sqlite"
    assert ven(tmp_path, 'state = "x"').storage == tmp_path / "x"


def test_vens_of_one_folder_have_a_state_each(tmp_path: Path) -> None:
    assert read(VenFile, None, {}).storage == Path("ven.state")
    assert read(VenFile, None, {"name": "bakery"}).storage == Path("bakery.state")
    assert ven(tmp_path, 'name = "bakery"').storage == tmp_path / "bakery.state"
    assert ven(tmp_path, 'name = "bakery"', name="mill").storage == tmp_path / "mill.state"
    assert ven(tmp_path, 'name = "../50%"').storage == tmp_path / "..%2F50%25.state"
    assert ven(tmp_path, 'name = "bakery"', state="x").storage == Path("x")


def test_a_path_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/grid")
    assert vtn(tmp_path, 'state = "~/vtn.db"').state == Path("/home/grid/vtn.db")


def test_flags_go_over_the_file_one_by_one(tmp_path: Path) -> None:
    made = vtn(tmp_path, 'vtn_id = "file"\n[http]\nport = 1\nhost = "::1"', http__port=2, poll="3s", vtn_id=None)
    assert (made.vtn_id, made.http.host, made.http.port) == ("file", "::1", 2)
    assert made.poll == timedelta(seconds=3)


def test_paths_of_flags_are_relative_to_where_the_command_runs(tmp_path: Path) -> None:
    assert vtn(tmp_path, 'state = "a"', state="b").state == Path("b")


def test_a_ven_takes_its_loads_from_the_file(tmp_path: Path) -> None:
    made = ven(tmp_path, 'opt = "optOut"\n[[loads]]\nresource = "a"\nkilowatt = 5\n[[loads]]\nresponds = 1\n')
    assert made.opt is OptType.OPT_OUT
    assert [(one.resource, one.kilowatt, one.responds) for one in made.loads] == [("a", 5.0, 0.3), ("load", 10.0, 1.0)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("prot = 1\n[http]\n", "there is no setting `prot`; there are vtn_id, state, control, poll"),
        ("vtnid = 1", "there is no setting `vtnid`; did you mean `vtn_id`?"),
        ("[http]\nprt = 1", "http: there is no setting `prt`; did you mean `port`?"),
        ("[reports]\nabc = 1", "reports: there is no setting `abc`; there are request, sampling, reporting"),
        ('[http]\nport = "8080"', "http.port: expected a whole number, got a text in quotes"),
        ("[http]\nport = 70000", "http.port: expected a whole number <= 65535"),
        ("[http]\nport = -1", "http.port: expected a whole number >= 0"),
        ('[http]\nprefix = "x"', "http.prefix: it must begin with /"),
        ('[http]\nallow_insecure = "yes"', "http.allow_insecure: expected true or false, got a text in quotes"),
        ("http = 5", "http: expected a table, got a whole number"),
        ("vens = 5", "vens: expected a list, got a whole number"),
        ("[[vens]]\n", "vens[0]: `name` is missing"),
        ('[[vens]]\nname = "a"\n[[vens]]\nname = ""\n', "vens[1].name: it must not be empty"),
        ("vtn_id = 7", "vtn_id: expected a text in quotes, got a whole number"),
        ('vtn_id = ""', "vtn_id: it must not be empty"),
        ("state = 7", "state: expected the path of a file, a text in quotes"),
        ("missed_polls = 0", "missed_polls: expected a whole number >= 1"),
        ('poll = "soon"', "poll: 'soon' is no length of time; write 90s, 15m, 1h30m or PT15M"),
        ("poll = true", 'poll: expected a length of time, such as "90s" or "15m"'),
        ("poll = [1]", 'poll: expected a length of time, such as "90s" or "15m"'),
        ("poll = 0", "poll: 0 must be more than nothing"),
        ('[reports]\nsampling = "-1m"', "reports.sampling: '-1m' must be more than nothing"),
        ("poll = nan", "poll: 'nans' is no length of time"),
        ("[xmpp]\nport = 5347", "xmpp: give either `component`, a domain of its own, or `jid`"),
        ('[xmpp]\ncomponent = "v.a"', "xmpp: `component` and `secret_file` belong together"),
        (
            '[xmpp]\ncomponent = "v.a"\nsecret_file = "s"\ncertificate = "c"',
            "xmpp: `certificate` is for a client; a component logs in with `secret_file`",
        ),
        (
            '[xmpp]\ncomponent = "v.a"\nsecret_file = "s"\ncheck_hostname = false',
            "xmpp: `check_hostname` is for a client",
        ),
        (
            '[xmpp]\ncomponent = "v.a"\nsecret_file = "s"\nanonymous = true',
            "xmpp: `anonymous` is for a client",
        ),
        (
            '[xmpp]\ncomponent = "v.a"\nsecret_file = "s"\ndialects = ["epri"]',
            "xmpp.dialects[0]: 'epri' is not possible; write avob or enernoc",
        ),
        ('[xmpp]\njid = "v@a"\npassword_file = "p"\nport = 5223', "xmpp: `port` needs `host`"),
        ("poll = ", "this is no TOML: Invalid value (at end of document)"),
    ],
)
def test_a_wrong_setting_of_a_vtn_is_said_with_its_place(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        vtn(tmp_path, text)
    assert str(raised.value).startswith(f"{tmp_path / 'vtn.toml'}: {complaint}")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('opt = "perhaps"', "opt: 'perhaps' is not possible; write optIn or optOut"),
        ('vtn = "vtn.example"', "vtn: it must begin with http:// or https://, and a host"),
        ('vtn = "http:///x"', "vtn: it must begin with http:// or https://, and a host"),
        ("[[loads]]\nresponds = 1.5", "loads[0].responds: expected a number <= 1.0"),
        ("[[loads]]\nkilowatt = nan", "loads[0].kilowatt: "),
        ("[[loads]]\nkilowatt = inf", "loads[0].kilowatt: "),
        ('[xmpp]\njid = "v@a"\npassword_file = "p"\nport = 5223', "xmpp: `port` needs `host`; without both, DNS tells"),
        ("[[loads]]\nkw = 5", "loads[0]: there is no setting `kw`; there are resource, kilowatt, responds"),
    ],
)
def test_a_wrong_setting_of_a_ven_is_said_with_its_place(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        ven(tmp_path, text)
    assert str(raised.value).startswith(f"{tmp_path / 'ven.toml'}: {complaint}")


@pytest.mark.parametrize("jid", ["ven@grid.example", "ven@grid.example/bench", "ven@grid.example/bench@hall/2"])
def test_a_ven_is_at_the_domain_of_its_jid(tmp_path: Path, jid: str) -> None:
    made = ven(tmp_path, f'[xmpp]\njid = "{jid}"\npassword_file = "p"')
    assert made.xmpp is not None
    assert made.xmpp.domain == "grid.example"


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        ({"poll": "soon"}, "--poll: 'soon' is no length of time"),
        ({"http.port": 70000}, "--port: expected a whole number <= 65535"),
        ({"reports.sampling": "0s"}, "--sampling: '0s' must be more than nothing"),
        ({"vtn_id": ""}, "--vtn-id: it must not be empty"),
    ],
)
def test_a_wrong_flag_is_called_by_its_name(tmp_path: Path, flags: dict[str, object], complaint: str) -> None:
    (tmp_path / "vtn.toml").write_text('vtn_id = "right"')
    with pytest.raises(ConfigError) as raised:
        read(VtnFile, tmp_path / "vtn.toml", flags)
    assert str(raised.value).startswith(complaint)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: No such file or directory"):
        read(VtnFile, tmp_path / "absent.toml", {})
    (tmp_path / "latin.toml").write_bytes('vtn_id = "é"'.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"latin\.toml: this is no text in UTF-8"):
        read(VtnFile, tmp_path / "latin.toml", {})


def test_the_dialects_of_a_vtn_and_of_a_ven_over_xmpp_are_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    at_vtn = vtn(
        tmp_path, f'[xmpp]\ncomponent = "v.a"\nsecret_file = "{tmp_path}/secret"\ndialects = ["avob", "enernoc"]'
    )
    assert at_vtn.xmpp is not None
    assert at_vtn.xmpp.to_vens().dialects == {XmppDialect.AVOB, XmppDialect.ENERNOC}
    print_of_vtn = ":".join(["00"] * 10)
    text = (
        f'[xmpp]\njid = "a"\nanonymous = true\ndialect = "avob"\nvtn_fingerprint = "{print_of_vtn}"\ncertificate = "c"'
    )
    at_ven = ven(tmp_path, text)
    assert at_ven.xmpp is not None
    arguments = at_ven.xmpp.arguments({})
    assert (arguments["anonymous"], arguments["dialect"], arguments["vtn_fingerprint"]) == (
        True,
        "avob",
        [print_of_vtn],
    )
    signer = ":".join(["11"] * 10)
    both = at_ven.xmpp.arguments({"vtn_fingerprint": [signer]})["vtn_fingerprint"]
    assert both == [print_of_vtn, signer], "a VTN may sign with another certificate than it logs in with"
