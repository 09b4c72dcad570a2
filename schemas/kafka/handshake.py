"""Meet the brokers as a client would, one step at a time, to say what is wrong.

kafka-python tries again and again and in the end says "unable to bootstrap", whatever the reason: a wrong password, an unknown
authority, a port where nothing listens.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence

from kafka.errors import IllegalSaslStateError, NoError, UnsupportedSaslMechanismError, for_code
from kafka.net.sasl import get_sasl_mechanism

from schemas.kafka.connection import connection, tls_context
from schemas.kafka.failures import AuthenticationFailed, BrokerUnreachable, KafkaFailure, NotAuthorised, TlsFailed
from schemas.kafka.settings import KafkaSettings
from schemas.kafka.wire import Address, ClosedError, Wire, connect, mechanisms

# OpenSSL's codes: the certificate is for another host name, another address.
_OTHER_NAME = (62, 64)


def check(settings: KafkaSettings, *topics: str, timeout: float = 5.0) -> None:
    """Connect, agree on TLS and log in at one of the bootstrap servers, and ask whether we may see the topics.

    Each step may take `timeout` seconds. Raises BrokerUnreachable, TlsFailed, AuthenticationFailed, NotAuthorised, and UsageError
    for a secret's file that cannot be read.
    """
    failures: list[KafkaFailure] = []
    for host, port in settings.addresses:
        try:
            return _meet(settings, Address(host, port), topics, timeout)
        except KafkaFailure as failure:
            failures.append(failure)
    telling = [failure for failure in failures if not isinstance(failure, BrokerUnreachable)]
    raise telling[0] if telling else BrokerUnreachable("; ".join(map(str, failures)))


def _meet(settings: KafkaSettings, address: Address, topics: Sequence[str], timeout: float) -> None:
    context = tls_context(settings) if settings.with_tls else None
    try:
        with connect(address, timeout, context) as broker:
            if settings.with_login:
                _log_in(broker, settings, address)
            brokers, hidden = broker.metadata(topics)
    except ClosedError:
        raise _why_closed(settings, address, timeout) from None
    except ssl.SSLError as error:
        raise TlsFailed(f"TLS with {address} failed: {_tls_advice(error, settings)}") from error
    except OSError as error:
        raise BrokerUnreachable(_unreachable(address, error, timeout)) from error
    if hidden:
        raise NotAuthorised(not_authorised(settings, "topic", hidden))
    if address not in brokers:
        _reach_one(brokers, address, timeout)


def not_authorised(settings: KafkaSettings, resource: str, names: Sequence[str]) -> str:
    """What a NotAuthorised says."""
    who = settings.sasl_username or settings.oauth_client_id or "this client"
    return f"not authorised: the access rules (ACLs) of {settings.bootstrap_servers} do not let {who} use {resource} {', '.join(names)}".rstrip()


def _log_in(broker: Wire, settings: KafkaSettings, address: Address) -> None:
    mechanism, config = settings.sasl_mechanism, connection(settings)
    who = settings.oauth_client_id if mechanism == "OAUTHBEARER" else settings.sasl_username
    refused = f"authentication failed: {address} does not accept {who} by {mechanism}"
    code, offered = broker.offer(str(mechanism))
    if for_code(code) is IllegalSaslStateError:
        raise AuthenticationFailed(f"authentication failed: {address} has no login: {_other_protocol(settings, settings.with_tls, [])}")
    if for_code(code) is UnsupportedSaslMechanismError:
        raise AuthenticationFailed(f"{refused}: set sasl_mechanism to what it offers: {', '.join(offered)}")
    login = get_sasl_mechanism(mechanism)(host=address.host, **config)
    while not login.is_done():
        answer = broker.authenticate(login.auth_bytes())
        if for_code(answer.error_code) is not NoError:
            reason = answer.error_message or for_code(answer.error_code).message
            raise AuthenticationFailed(f"{refused}: {reason.removeprefix('Authentication failed: ')}")
        try:
            login.receive(answer.auth_bytes)
        except (KeyError, ValueError) as error:
            raise AuthenticationFailed(f"{refused}: its answer does not fit the password: {error}") from error


def _why_closed(settings: KafkaSettings, address: Address, timeout: float) -> KafkaFailure:
    """A broker hangs up without a word: find out whether it wants TLS, no TLS, or a login."""
    for tls in (True, False):
        offered = mechanisms(address, timeout, tls=tls)
        if offered is not None and tls != settings.with_tls:
            return TlsFailed(f"{address} speaks {'TLS' if tls else 'no TLS'}: {_other_protocol(settings, tls, offered)}")
        if offered and not settings.with_login:
            return AuthenticationFailed(f"authentication failed: {address} wants a login: {_other_protocol(settings, tls, offered)}")
    return BrokerUnreachable(f"{address} closes the connection without an answer: is it a Kafka broker, and ready?")


def _other_protocol(settings: KafkaSettings, tls: bool, offered: Sequence[str]) -> str:
    protocol = ("SASL_" if offered else "") + ("SSL" if tls else "PLAINTEXT")
    how = f" and sasl_mechanism {' or '.join(offered)}" if offered and not settings.with_login else ""
    return f"set security_protocol {protocol}{how} instead of {settings.security_protocol}, or take another port"


def _tls_advice(error: ssl.SSLError, settings: KafkaSettings) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _OTHER_NAME:
            return f"{error.verify_message} Connect by a name that its certificate has"
        trusted = f"the authorities in ssl_cafile {settings.ssl_cafile}" if settings.ssl_cafile else "the system's authorities; set ssl_cafile to its own"
        return f"the broker's certificate is not trusted ({error.verify_message}) by {trusted}"
    reason = (error.reason or str(error)).lower().replace("_", " ")
    if "alert" not in reason:
        return reason
    if settings.ssl_certfile:
        return f"the broker refuses our certificate {settings.ssl_certfile} ({reason})"
    return f"the broker wants a certificate of ours ({reason}): set ssl_certfile and ssl_keyfile"


def _unreachable(address: Address, error: OSError, timeout: float) -> str:
    if isinstance(error, TimeoutError):
        return f"{address} does not answer within {timeout:g} s"
    if isinstance(error, socket.gaierror):
        return f"{address}: there is no host of that name"
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens at {address}"
    return f"{address} cannot be reached: {error.strerror or error}"


def _reach_one(brokers: Sequence[Address], asked: Address, timeout: float) -> None:
    """The first broker names the others as they call themselves, which need not be an address for us."""
    reasons = []
    for address in brokers:
        try:
            socket.create_connection(address, timeout).close()
        except OSError as error:
            reasons.append(_unreachable(address, error, timeout))
        else:
            return
    raise BrokerUnreachable(
        f"{asked} answers, but no broker that it names can be reached ({'; '.join(reasons) or 'it names none'}): "
        "set the brokers' advertised.listeners to addresses that this machine can reach"
    )
