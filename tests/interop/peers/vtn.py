"""OpenLEADR's server, as it comes, steered by a test; run by the interpreter of the peer's environment.

Commands: ``run`` makes a server and has it listen, ``add_event``, ``modify_event`` and ``cancel_event`` do what they
say, ``create_report`` and ``cancel_report`` answer the next poll with that, ``stop`` ends it. It tells of every message
it takes and gives, and of every call of its handlers and callbacks.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from openleadr import OpenADRServer, hooks, utils
from talk import Talk


class TheirVtn:
    """A server, and what it is told to do."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._server: Any = None
        self._vens: dict[str, dict[str, Any]] = {}
        self._registrations = 0
        self._fingerprint: str | None = None
        self._queue: deque[tuple[str, dict[str, Any]]] = deque()

    async def run(
        self,
        vtn_id: str,
        port: int = 0,
        poll: float = 1.0,
        sampling: float | None = None,
        reporting: float | None = None,
        forgetful: bool = False,
        queueing: bool = False,
        security: Mapping[str, Any] | None = None,
        fingerprint: str | None = None,
    ) -> None:
        """Make a server, and have it listen; port 0 takes a free one, and the site tells which.

        It asks for every data point at the spacing ``sampling``, in reports as long as ``reporting``; without a
        ``sampling`` it wants no reports. A forgetful server registers every VEN, and knows none. One that is queueing
        answers polls with what it is told to ask, and has no events.
        ``security`` holds its keys and certificates, ``fingerprint`` is that of its VENs.
        """
        self._fingerprint = fingerprint
        server = self._server = OpenADRServer(
            vtn_id=vtn_id,
            http_port=port,
            requested_poll_freq=timedelta(seconds=poll),
            ven_lookup=lambda ven_id: None if forgetful else self._vens.get(ven_id),
            **(security or {}),
        )
        rhythm = [timedelta(seconds=one) for one in (sampling, reporting) if one is not None]

        def on_register_report(
            ven_id: str,
            resource_id: Any,
            measurement: Any,
            unit: Any,
            scale: Any,
            min_sampling_interval: Any,
            max_sampling_interval: Any,
        ) -> object:
            point = {"ven_id": ven_id, "resource_id": resource_id, "measurement": measurement}
            self._talk.say(
                "offered", unit=unit, scale=scale, min=min_sampling_interval, max=max_sampling_interval, **point
            )
            return (partial(self._data, point), *rhythm) if rhythm else None

        server.add_handler("on_create_party_registration", self._register)
        server.add_handler("on_cancel_party_registration", self._deregister)
        server.add_handler("on_register_report", on_register_report)
        server.add_handler("on_created_report", lambda payload: self._talk.say("created_report", content=payload))
        server.add_handler("on_update_report", lambda report: self._talk.say("unclaimed_report", report=report))
        if queueing:
            server.add_handler("on_poll", lambda ven_id: self._queue.popleft() if self._queue else None)
            server.add_handler("on_request_event", lambda ven_id: [])
        await server.run()
        scheme = "https" if security and "http_cert" in security else "http"
        port = server.app_runner.addresses[0][1]
        self._talk.say("listening", port=port, url=f"{scheme}://127.0.0.1:{port}{server.http_path_prefix}")

    def add_event(self, ven_id: str, event_id: str, intervals: Sequence[Mapping[str, Any]], **details: Any) -> None:
        """Make an event; its intervals have a ``dtstart`` as text and a ``duration`` in seconds."""
        made = [
            {
                "dtstart": datetime.fromisoformat(one["dtstart"]),
                "duration": timedelta(seconds=one["duration"]),
                "signal_payload": one["signal_payload"],
            }
            for one in intervals
        ]
        self._server.add_event(
            ven_id=ven_id,
            event_id=event_id,
            intervals=made,
            callback=self._opt,
            delivery_callback=lambda: self._talk.say("delivered", event_id=event_id),
            **details,
        )

    def modify_event(self, ven_id: str, event_id: str, signal_payload: float) -> None:
        """Change the value of an event. The server has no method for it; this does to the event what its
        ``cancel_event`` does."""
        event = utils.find_by(self._server.events[ven_id], "event_descriptor.event_id", event_id)
        for interval in event.event_signals[0].intervals:
            utils.setmember(interval, "signal_payload", signal_payload)
        utils.increment_event_modification_number(event)
        self._server.events_updated[ven_id] = True

    def cancel_event(self, ven_id: str, event_id: str) -> None:
        """Cancel an event."""
        self._server.cancel_event(ven_id, event_id)

    def create_report(
        self,
        report_request_id: str,
        report_specifier_id: str,
        r_id: str,
        granularity: float,
        report_back_duration: float,
        dtstart: str,
        duration: float,
    ) -> None:
        """Ask for a report; the server has no method for it. ``dtstart`` is a text, and lengths are in seconds."""
        interval = {"dtstart": datetime.fromisoformat(dtstart), "duration": timedelta(seconds=duration)}
        specifier = {
            "report_specifier_id": report_specifier_id,
            "granularity": timedelta(seconds=granularity),
            "report_back_duration": timedelta(seconds=report_back_duration),
            "report_interval": interval,
            "specifier_payloads": [{"r_id": r_id, "reading_type": "x-notApplicable"}],
        }
        request = {"report_request_id": report_request_id, "report_specifier": specifier}
        self._queue.append(("oadrCreateReport", {"report_requests": [request]}))

    def cancel_report(self, report_request_id: str, report_to_follow: bool) -> None:
        """Ask for no more of a report; the server has no method for it."""
        content = {"report_request_id": report_request_id, "report_to_follow": report_to_follow}
        self._queue.append(("oadrCancelReport", content))

    def forget(self, ven_id: str) -> None:
        """Know a VEN no more, as if its registration had been lost."""
        del self._vens[ven_id]

    async def stop(self) -> None:
        """Stop listening."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop()

    def _register(self, info: Mapping[str, Any]) -> object:
        self._registrations += 1
        ven_id = info.get("ven_id") or f"ven_{info['ven_name']}"
        registration_id = f"registration_{self._registrations}_{info['ven_name']}"
        self._vens[ven_id] = {
            "ven_id": ven_id,
            "ven_name": info["ven_name"],
            "registration_id": registration_id,
            "fingerprint": self._fingerprint,
        }
        self._talk.say("registered", info=info, ven_id=ven_id, registration_id=registration_id)
        return ven_id, registration_id

    def _deregister(self, payload: Mapping[str, Any]) -> object:
        self._talk.say("deregistered", content=payload)
        self._vens.pop(payload["ven_id"], None)
        content = {"registration_id": payload["registration_id"], "ven_id": payload["ven_id"]}
        return "oadrCanceledPartyRegistration", content

    def _data(self, point: Mapping[str, Any], data: Sequence[tuple[datetime, float]]) -> None:
        self._talk.say("data", values=list(data), **point)

    def _opt(self, ven_id: str, event_id: str, opt_type: str) -> None:
        self._talk.say("opt", ven_id=ven_id, event_id=event_id, opt_type=opt_type)


def observe(talk: Talk) -> None:
    """Tell of every message that is taken and given; the hooks of the server are common to the whole process."""

    async def before_handle(kind: str, content: Mapping[str, Any]) -> None:
        talk.say("received", type=kind, content=content)
        for one in content.get("event_responses", ()):
            answer = {key: one[key] for key in ("event_id", "modification_number", "opt_type")}
            talk.say("created_event", ven_id=content["ven_id"], **answer)

    async def after_handle(kind: str, content: Mapping[str, Any]) -> None:
        talk.say("answered", type=kind)

    async def before_parse(xml: bytes) -> None:
        talk.say("taken", xml=xml.decode())

    async def before_respond(xml: str) -> None:
        talk.say("given", xml=xml)

    for hook in (before_parse, before_handle, after_handle, before_respond):
        hooks.register(hook.__name__, hook)


async def main() -> None:
    """Obey until the test has had enough."""
    talk = Talk()
    observe(talk)
    vtn = TheirVtn(talk)
    await talk.obey(
        {
            "run": vtn.run,
            "add_event": vtn.add_event,
            "modify_event": vtn.modify_event,
            "cancel_event": vtn.cancel_event,
            "create_report": vtn.create_report,
            "cancel_report": vtn.cancel_report,
            "forget": vtn.forget,
            "stop": vtn.stop,
        }
    )
    await vtn.stop()


asyncio.run(main())
