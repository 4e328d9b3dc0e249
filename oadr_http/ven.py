"""A VEN over HTTP, for applications: handlers in, dicts out."""

import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from oadr_core import Event, Limits, LocalProtocolError, ProfileName, VenLimits, VenPolicy
from oadr_driver.clock import system_now
from oadr_driver.recorder import Trace
from oadr_driver.settings import patience, ven_config
from oadr_driver.signatures import SignaturePolicy, ven_sealer
from oadr_driver.store import Store
from oadr_driver.tls import Tls, TlsPolicy
from oadr_driver.ven import DrivenVen
from oadr_http.client import base_url
from oadr_http.push import Push, vtn_by_certificate
from oadr_http.transport import HttpBothWays, HttpToVtn


class OpenADRClient(DrivenVen):
    """A VEN.

    As it comes it runs by itself: declare handlers with :meth:`add_handler` and reports with :meth:`add_report`, then
    enter :meth:`running` or await :meth:`run`. It registers, polls, answers and reports, and recovers from whatever
    fails.

    With ``auto_polling=False`` nothing happens by itself: await :meth:`create_party_registration` once, then
    :meth:`poll` and the other requests whenever you want, and :meth:`stop` at the end.

    All methods are to be called from the event loop that runs it; those that are no coroutines also from a handler that
    runs in a thread. Several clients may run in one process; they share nothing.

    :param ven_name: a name for people.
    :param vtn_url: the base URL of the VTN, such as ``https://vtn.example/OpenADR2/Simple/2.0b``.
    :param ven_id: an id that was agreed beforehand, if one was; one of 2.0a must have one.
    :param cert: its certificate, in PEM, for TLS and for signing; without TLS also a PKCS#12 file.
    :param key: the key, in PEM; None where it is in the file of the certificate.
    :param passphrase: what the key is encrypted with, if it is.
    :param vtn_fingerprint: the fingerprint of the VTN's certificate, or several where it has several; to another one
        nothing is said over TLS, and nothing is taken that another one has signed. None takes any that the CAs vouch
        for.
    :param verification_cert: the certificates that the VTN may sign with, in PEM; where they are known as a whole.
    :param ca_file: the CAs of the VTN's certificate; over TLS those of the system if None.
    :param disable_signature: not to sign although there is a ``cert``.
    :param verify_message_signatures: whether everything that the VTN says has to be signed (rule 514). If None, it does
        without TLS, wherever there is a ``cert`` that signs, or it is said by what the VTN is known. With TLS, which
        tells who the VTN is, what is signed has to be signed well, and what is not is taken as well.
    :param signature_policy: how signatures are made, and which are accepted; as the profile says if None.
    :param check_hostname: whether the VTN's certificate must be for the host name of ``vtn_url``.
    :param tls_policy: how TLS is spoken; as the profile says if None.
    :param profile: the profile that it speaks, ``2.0b`` or ``2.0a``. In 2.0a there are events alone: it registers
        nowhere, offers no reports and has no opts. The base URL is then such as ``https://vtn.example/OpenADR2/Simple``.
    :param vtn_id: the id of a VTN of 2.0a, where it was agreed beforehand; lists of events of another are refused.
    :param fall_back: whether it goes on in 2.0a with a VTN that answers its registration in 2.0a (rule 506); needs a
        ``ven_id``. Either way :class:`oadr_core.OtherProfileFound` is told.
    :param auto_polling: whether it runs by itself.
    :param poll_interval: how often to poll; None follows the VTN's wish.
    :param call_timeout: how long a handler may take before the policy decides instead of it.
    :param request_timeout: how long to wait for an answer of the VTN; 5 seconds at least (section 9.1.6).
    :param longest_wait: how long it waits at most before it tries again what did not get through; the first time it
        waits a second, and then twice as long each time.
    :param strict: whether to refuse answers that the schema refuses.
    :param typed: whether handlers get instances of the message classes instead of dicts.
    :param compression: whether the VTN may compress its answers.
    :param market_contexts: the programs that it is part of; events of others are refused with 462, and nobody is asked.
        None accepts any, here and in what follows.
    :param group_ids: the groups that it is in; an event that is meant for none of what the VEN is gets 462.
    :param resource_ids: the resources that it has.
    :param party_ids: the parties that it acts for.
    :param device_classes: the classes of its devices; an event that is meant for none of them gets 469.
    :param signals: the signals that it supports, as pairs of name and type; an event with another gets 460.
    :param policy: how it runs; see :class:`oadr_core.VenPolicy`.
    :param limits: how large an answer may be, also once it is decompressed; see :class:`oadr_core.Limits`.
    :param push: how the VTN reaches it, so that it does not poll; it polls if None. With ``https`` it listens with its
        ``cert``, and lets in nobody but the VTN, which shows a certificate of ``vtn_fingerprint``, or else one for
        the host of ``vtn_url``, that ``ca_file`` has issued.
    :param ven_limits: how much the VTN can make it keep, of events, requests, offers and so on; see
        :class:`oadr_core.VenLimits`.
    :param store: keeps the state; in memory if None.
    :param observe: is told everything that the core tells; must not block.
    :param trace: takes every exchange once it is over; ``oadr inspect`` judges what was written down of them.
    :raises LocalProtocolError: ``vtn_url`` is no URL, there is no such profile, a ``ven_id`` is missing,
        ``longest_wait`` is nothing, somebody else could pose as the VTN that pushes, or a file of certificates cannot
        be used; the text says what would be right.
    """

    def __init__(
        self,
        ven_name: str,
        vtn_url: str,
        *,
        cert: str | Path | None = None,
        key: str | Path | None = None,
        passphrase: str | None = None,
        vtn_fingerprint: str | Sequence[str] | None = None,
        verification_cert: str | Path | None = None,
        ca_file: str | Path | None = None,
        disable_signature: bool = False,
        verify_message_signatures: bool | None = None,
        signature_policy: SignaturePolicy | None = None,
        check_hostname: bool = True,
        tls_policy: TlsPolicy | None = None,
        ven_id: str | None = None,
        profile: str = ProfileName.V20B,
        vtn_id: str = "",
        fall_back: bool = False,
        auto_polling: bool = True,
        poll_interval: timedelta | None = None,
        call_timeout: timedelta = timedelta(seconds=60),
        request_timeout: timedelta = timedelta(seconds=30),
        longest_wait: timedelta = timedelta(minutes=1),
        strict: bool = False,
        typed: bool = False,
        compression: bool = True,
        market_contexts: Sequence[str] | None = None,
        group_ids: Sequence[str] | None = None,
        resource_ids: Sequence[str] | None = None,
        party_ids: Sequence[str] | None = None,
        device_classes: Sequence[str] | None = None,
        signals: Sequence[tuple[str, str]] | None = None,
        policy: VenPolicy | None = None,
        limits: Limits | None = None,
        push: Push | None = None,
        ven_limits: VenLimits | None = None,
        store: Store | None = None,
        observe: Callable[[Event], None] | None = None,
        trace: Trace | None = None,
    ) -> None:
        entropy = random.SystemRandom()
        url, limits = base_url(vtn_url), limits or Limits()
        tls: Tls | None = None
        if url.startswith("https:"):
            tls = Tls(
                cert=cert,
                key=key,
                passphrase=passphrase,
                ca_file=ca_file,
                fingerprints=vtn_fingerprint or (),
                check_hostname=check_hostname,
                serving=push is not None,
                policy=tls_policy,
            )
        config = ven_config(
            ven_name=ven_name,
            ven_id=ven_id,
            profile=_profile(profile),
            vtn_id=vtn_id,
            fall_back=fall_back,
            call_timeout=call_timeout,
            market_contexts=market_contexts,
            group_ids=group_ids,
            resource_ids=resource_ids,
            party_ids=party_ids,
            device_classes=device_classes,
            signals=signals,
            ven_limits=ven_limits,
            pull=push is None,
            answers_lists=push is not None and push.answers_lists,
            manual=not auto_polling,
            sender=patience(longest_wait, request_timeout),
        )
        saved = None if store is None else store.load()
        sealer = ven_sealer(
            entropy,
            url,
            cert=cert,
            key=key,
            passphrase=passphrase,
            disable_signature=disable_signature,
            verify=verify_message_signatures,
            fingerprints=vtn_fingerprint,
            verification_cert=verification_cert,
            ca_file=ca_file,
            policy=signature_policy,
            strict=strict,
            began=system_now().utc,
            restarted=bool(saved),
            limits=limits,
        )
        if sealer.requires and (fall_back or config.profile is ProfileName.V20A):
            raise LocalProtocolError(
                "OpenADR 2.0a has no signatures, so they cannot be required where it is spoken; use TLS, or say "
                "disable_signature=True and give nothing that signatures of the VTN are known by"
            )
        transport = HttpToVtn(url, compression=compression, longest=limits.size, tls=tls)
        if push is not None:
            push.refuse_exposure(identified=tls is not None or sealer.requires)
            knows = None if tls is None else vtn_by_certificate(url, vtn_fingerprint, check_hostname=check_hostname)
            transport = HttpBothWays(url, push, compression=compression, longest=limits.size, tls=tls, knows=knows)
        super().__init__(
            config,
            transport=transport,
            sealer=sealer,
            entropy=entropy,
            policy=policy or _policy(poll_interval),
            typed=typed,
            store=store,
            saved=saved,
            observe=observe,
            trace=trace,
            tls=tls,
        )


def _profile(name: str) -> ProfileName:
    try:
        return ProfileName(name)
    except ValueError:
        known = " and ".join(ProfileName)
        raise LocalProtocolError(f"there is no profile {name!r}; there are {known}") from None


def _policy(poll_interval: timedelta | None) -> VenPolicy:
    poll = None if poll_interval is None else poll_interval.total_seconds()
    return VenPolicy(poll_interval=poll, shortest_poll_interval=min(1.0, poll or 1.0))
