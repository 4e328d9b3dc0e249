"""OpenLEADR's client, as it comes, steered by a test; run by the interpreter of the peer's environment.

Commands: ``run`` makes a client and has it run by itself, ``answer`` says what its event handlers return from now on,
``stop`` ends it. It tells of every message it sends and receives, of every call of its handlers, and of
every value that its report callbacks hand out.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from openleadr import OpenADRClient
from talk import Talk

_PAYLOAD = re.compile(r"oadrSignedObject\b[^>]*>\s*<(?:\w+:)?(\w+)")


class TheirVen:
    """A client, and what it is told to do."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._client: Any = None
        self._answers: dict[str, str] = {}
        self._answer = "optIn"

    async def run(
        self,
        url: str,
        ven_name: str,
        ven_id: str | None = None,
        reports: Sequence[Mapping[str, Any]] = (),
        security: Mapping[str, Any] | None = None,
    ) -> None:
        """Make a client, and have it run by itself; ``security`` holds its keys and certificates."""
        client = self._client = OpenADRClient(ven_name=ven_name, vtn_url=url, ven_id=ven_id, **(security or {}))
        client.add_handler("on_event", lambda event: self._decide("on_event", event))
        client.add_handler("on_update_event", lambda event: self._decide("on_update_event", event))
        client.add_hook("before_send_xml", self._sent)
        client.add_hook("after_receive_xml", lambda xml: self._talk.say("taken", xml=xml))
        client.add_hook("after_parse_xml", lambda kind, content: self._talk.say("received", type=kind, content=content))
        for report in reports:
            self._offer(client, **report)
        await client.run()
        self._talk.say(
            "running",
            ven_id=client.ven_id,
            registration_id=client.registration_id,
            poll_frequency=client.poll_frequency,
        )

    def answer(self, opt: str, event_id: str | None = None) -> None:
        """Say what the event handlers return: for one event, or for all that are not named."""
        if event_id is None:
            self._answer = opt
        else:
            self._answers[event_id] = opt

    async def stop(self) -> None:
        """End the client."""
        client, self._client = self._client, None
        if client is not None:
            await client.stop()

    def _offer(
        self,
        client: Any,
        *,
        sampling_rate: float,
        r_id: str,
        first: float = 0.0,
        recorded: Sequence[tuple[str, float]] | None = None,
        **details: Any,
    ) -> None:
        client.add_report(
            callback=self._reader(r_id, first) if recorded is None else self._recorder(r_id, recorded),
            r_id=r_id,
            sampling_rate=timedelta(seconds=sampling_rate),
            report_duration=timedelta(hours=1),
            **details,
        )

    def _reader(self, r_id: str, first: float) -> Callable[[], object]:
        """Make a callback whose values rise by a half, each with the time at which it was read."""
        value = first - 0.5

        def read() -> object:
            nonlocal value
            value += 0.5
            now = datetime.now(UTC)
            self._talk.say("read", r_id=r_id, time=now, value=value)
            return [(now, value)]

        return read

    def _recorder(self, r_id: str, recorded: Sequence[tuple[str, float]]) -> Callable[[], object]:
        """Make a callback that knows the values of some times, whenever it is called."""

        def read() -> object:
            self._talk.say("recalled", r_id=r_id)
            return [(datetime.fromisoformat(time), value) for time, value in recorded]

        return read

    def _decide(self, handler: str, event: Mapping[str, Any]) -> str:
        answer = self._answers.get(event["event_descriptor"]["event_id"], self._answer)
        self._talk.say("event", handler=handler, event=event, answer=answer)
        return answer

    def _sent(self, xml: str) -> None:
        found = _PAYLOAD.search(xml)
        self._talk.say("sent", type=found[1] if found else "", xml=xml)


async def main() -> None:
    """Obey until the test has had enough."""
    talk = Talk()
    ven = TheirVen(talk)
    await talk.obey({"run": ven.run, "answer": ven.answer, "stop": ven.stop})
    await ven.stop()


asyncio.run(main())
