"""Lines reach real receivers in the form each of them reads."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import re
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from apps.core.logs import trial
from apps.core.logs.entries import Entry
from apps.core.logs.receivers import Failed, Receiver, Refused
from apps.core.logs.sending import _has_ended, open_sender
from tests.core.logs.conftest import HttpReceiver, SyslogReceiver, serve_tcp, wait_until

AT = 1_795_345_536_461_453
LINE = Entry(
    at=AT,
    level=30,
    target="apps.core.tasks",
    message="events_swept",
    fields={"count": 3, "ok": True, "ratio": 0.5, "none": None, "list": ["a", 1], "map": {"b": 2},
            "request_id": "r1", "process": "worker-fast", "pid": 77, "host": "vm"},
)  # fmt: skip


def test_http_gets_an_array_of_lines(http_receiver: HttpReceiver) -> None:
    sender = open_sender(Receiver("http", f"{http_receiver.url}/in", {"X-Key": "k"}))
    sender.send([LINE, LINE])
    sender.close()

    [(path, headers, body)] = http_receiver.requests
    assert (path, headers["X-Key"], headers["Content-Type"]) == ("/in", "k", "application/json")
    assert json.loads(body) == [dict(LINE.shown()), dict(LINE.shown())]


def test_otlp_gets_what_the_protocol_asks_for(http_receiver: HttpReceiver) -> None:
    sender = open_sender(Receiver("otlp", http_receiver.url))
    sender.send([LINE])
    sender.close()

    [(path, _headers, body)] = http_receiver.requests
    assert path == "/v1/logs"
    [resource] = json.loads(body)["resourceLogs"]
    assert {"key": "service.name", "value": {"stringValue": "kanbanai"}} in resource["resource"][
        "attributes"
    ]
    [scope] = resource["scopeLogs"]
    assert scope["scope"] == {"name": "apps.core.tasks"}
    [record] = scope["logRecords"]
    assert record["timeUnixNano"] == str(AT * 1000)
    assert (record["severityNumber"], record["severityText"]) == (13, "WARN")
    assert record["body"] == {"stringValue": "events_swept"}
    assert {item["key"]: item["value"] for item in record["attributes"]} == {
        "count": {"intValue": "3"},
        "ok": {"boolValue": True},
        "ratio": {"doubleValue": 0.5},
        "none": {},
        "list": {"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": "1"}]}},
        "map": {"kvlistValue": {"values": [{"key": "b", "value": {"intValue": "2"}}]}},
        "request_id": {"stringValue": "r1"},
    }


def test_otlp_keeps_a_path_of_its_own(http_receiver: HttpReceiver) -> None:
    open_sender(Receiver("otlp", f"{http_receiver.url}/otlp/v1/logs")).send([LINE])

    assert http_receiver.requests[0][0] == "/otlp/v1/logs"


def test_records_that_otlp_rejects_are_refused(http_receiver: HttpReceiver) -> None:
    http_receiver.answer = b'{"partialSuccess": {"rejectedLogRecords": "1"}}'

    with pytest.raises(Refused, match="rejected 1 of 1"):
        open_sender(Receiver("otlp", http_receiver.url)).send([LINE])


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        ("http", 500, Failed),
        ("http", 503, Failed),
        ("http", 429, Failed),
        ("http", 408, Failed),
        ("http", 400, Refused),
        ("http", 401, Refused),
        ("http", 302, Refused),
        ("otlp", 500, Refused),
        ("otlp", 503, Failed),
        ("otlp", 429, Failed),
        ("otlp", 400, Refused),
    ],
)
def test_what_may_be_sent_again_depends_on_the_answer(
    http_receiver: HttpReceiver, kind: str, status: int, expected: type[Exception]
) -> None:
    http_receiver.status = status
    http_receiver.headers = {"Retry-After": "7", "Location": "http://127.0.0.1:1/"}

    with pytest.raises(expected, match=f"answered {status}") as raised:
        open_sender(Receiver(kind, http_receiver.url)).send([LINE])
    if isinstance(raised.value, Failed):
        assert raised.value.wait == 7
    assert len(http_receiver.requests) == 1


@pytest.mark.parametrize("kind", ["http", "otlp"])
def test_nobody_there_is_a_failure(free_port: int, kind: str) -> None:
    with pytest.raises(Failed, match="cannot be reached"):
        open_sender(Receiver(kind, f"http://127.0.0.1:{free_port}")).send([LINE])


# RFC 5424: priority, version, moment, host, program, process, message id, data, text.
RFC_5424 = re.compile(
    rb"<132>1 (?P<at>\S+) (?P<host>\S+) kanbanai (?P<pid>\S+) (?P<id>\S{1,32}) "
    rb"(?P<data>\[kanbanai@32473( [^ =\]\"]{1,32}=\"([^\"\\\]]|\\[\"\\\]])*\")*\]) (?P<text>.*)",
    re.DOTALL,
)


def test_syslog_over_udp_gets_a_message_each(udp_receiver: SyslogReceiver) -> None:
    sender = open_sender(Receiver("syslog", f"udp://127.0.0.1:{udp_receiver.port}"))
    sender.send([LINE, LINE])
    wait_until(lambda: len(udp_receiver.messages) == 2)
    sender.close()

    found = RFC_5424.fullmatch(udp_receiver.messages[0])
    assert found
    assert found["at"] == b"2026-11-22T11:05:36.461453Z"
    assert (found["host"], found["pid"], found["id"]) == (b"vm", b"77", b"apps.core.tasks")
    assert found["text"] == b"events_swept"
    assert b' count="3"' in found["data"]
    assert b' list="[\\"a\\", 1\\]"' in found["data"]


def test_syslog_over_tcp_counts_octets_and_stays_connected(tcp_receiver: SyslogReceiver) -> None:
    sender = open_sender(Receiver("syslog", f"tcp://127.0.0.1:{tcp_receiver.port}"))
    sender.send([LINE])
    sender.send([Entry(AT, 30, "t", 'größer\nals "eine" Zeile')])
    wait_until(lambda: len(tcp_receiver.messages) == 2)
    sender.close()

    assert RFC_5424.fullmatch(tcp_receiver.messages[0])
    assert tcp_receiver.messages[1].endswith('t - \ufeffgrößer als "eine" Zeile'.encode())


def test_a_tcp_connection_that_was_closed_is_opened_again(tcp_receiver: SyslogReceiver) -> None:
    tcp_receiver.closes_after = 1
    sender = open_sender(Receiver("syslog", f"tcp://127.0.0.1:{tcp_receiver.port}"))
    sender.send([LINE])
    wait_until(lambda: tcp_receiver.messages)
    # The end of the connection arrives a moment after the message.
    wait_until(lambda: _is_over(sender))
    sender.send([LINE])
    wait_until(lambda: len(tcp_receiver.messages) == 2)
    sender.close()


def _is_over(sender: object) -> bool:
    return _has_ended(sender._socket)  # type: ignore[attr-defined]


def test_nobody_there_is_a_failure_over_tcp(free_port: int) -> None:
    with pytest.raises(Failed, match="cannot be reached"):
        open_sender(Receiver("syslog", f"tcp://127.0.0.1:{free_port}")).send([LINE])


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1 that signed itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(tz=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def tls_receiver(certificate: Path) -> Iterator[SyslogReceiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    yield from serve_tcp(context)


def test_syslog_over_tls_goes_to_whom_it_trusts(
    tls_receiver: SyslogReceiver, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    sender = open_sender(Receiver("syslog", f"tls://127.0.0.1:{tls_receiver.port}"))
    sender.send([LINE])
    wait_until(lambda: tls_receiver.messages)
    sender.close()

    assert RFC_5424.fullmatch(tls_receiver.messages[0])


def test_syslog_over_tls_goes_to_nobody_else(tls_receiver: SyslogReceiver) -> None:
    with pytest.raises(Failed, match="certificate"):
        open_sender(Receiver("syslog", f"tls://127.0.0.1:{tls_receiver.port}")).send([LINE])
    assert tls_receiver.messages == []


def test_a_trial_says_that_it_went_well(http_receiver: HttpReceiver) -> None:
    outcome = trial.send_one(Receiver("http", http_receiver.url))

    assert (outcome.success, outcome.message) == (True, "The receiver answered 200.")
    assert json.loads(http_receiver.requests[0][2])[0]["message"] == "log_export_test"


def test_a_trial_says_why_not(http_receiver: HttpReceiver) -> None:
    http_receiver.status = 500
    outcome = trial.send_one(Receiver("http", http_receiver.url))

    assert (outcome.success, outcome.message) == (
        False,
        "The receiver answered 500 Internal Server Error.",
    )


def test_a_trial_ends_although_the_receiver_hangs(http_receiver: HttpReceiver) -> None:
    http_receiver.hangs.set()
    started = time.monotonic()
    outcome = trial.send_one(Receiver("http", http_receiver.url), seconds=0.3)

    assert (outcome.success, outcome.message) == (
        False,
        "The receiver did not answer within 0.3 seconds.",
    )
    assert outcome.milliseconds >= 300
    assert time.monotonic() - started < 10
