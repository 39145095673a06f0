"""TLS: the certificate must be valid for the site's name, not for its address."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import create_server

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from integrations.jira.errors import JiraError, JiraUnreachable
from integrations.jira.network_guard import Network
from integrations.jira.session import make_session
from integrations.tests.fake_jira import ISSUE, FakeDns, MakeClient, deadline_in

REFUSAL = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def certificate(name: str, folder: Path) -> Path:
    """Make a self-signed certificate for a name, in one file with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    today = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = folder / "server.pem"
    path.write_bytes(key.private_bytes(pem, *private) + made.public_bytes(pem))
    return path


@contextmanager
def tls_server(path: Path, received: list[str | bytes]) -> Iterator[int]:
    """Serve one TLS connection; `received` gets the name requested and the data."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    context.sni_callback = lambda _, name, __: received.append(name)

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listening.accept()
            with context.wrap_socket(connection, server_side=True) as secure:
                received.append(secure.recv(65536))
                secure.sendall(REFUSAL)
                while secure.recv(65536):  # closing with unread bytes would reset
                    pass

    with create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)  # the client may give up before it connects
        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


@pytest.mark.parametrize("name", ["jira.example", "other.example"])
def test_certificate_must_be_for_the_name(
    make_client: MakeClient, dns: FakeDns, tmp_path: Path, name: str
) -> None:
    received: list[str | bytes] = []
    path = certificate(name, tmp_path)
    dns.responses = [["127.0.0.1"]]
    with (
        tls_server(path, received) as port,
        make_session(threads=1, network=Network(allow_insecure=True)) as session,
    ):
        session.verify = str(path)
        site = f"https://jira.example:{port}"
        client = make_client(base_url=site, session=session)
        with pytest.raises(JiraError) as failed:
            client.create_issue(ISSUE, deadline=deadline_in())

    if name == "jira.example":
        assert failed.value.jira_status == 401
    else:
        assert isinstance(failed.value, JiraUnreachable)
        assert received == ["jira.example"]  # and not one byte of the request


def test_connections_share_the_authorities(
    make_client: MakeClient,
    dns: FakeDns,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Reading the authorities for each connection takes most of a creation."""
    path = certificate("jira.example", tmp_path)
    reads = []
    load = ssl.SSLContext.load_verify_locations

    def count(self: ssl.SSLContext, cafile: str, *args: None) -> None:
        reads.append(cafile)
        load(self, cafile)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", count)
    dns.responses = [["127.0.0.1"]] * 2
    with make_session(threads=1, network=Network(allow_insecure=True)) as session:
        session.verify = str(path)
        for _ in range(2):
            with tls_server(path, []) as port:
                site = f"https://jira.example:{port}"
                client = make_client(base_url=site, session=session)
                with pytest.raises(JiraError) as failed:
                    client.create_issue(ISSUE, deadline=deadline_in())
            assert failed.value.jira_status == 401

    assert reads == [str(path)]


def test_certificate_of_an_unknown_authority_is_rejected(
    make_client: MakeClient, dns: FakeDns, tmp_path: Path
) -> None:
    path = certificate("jira.example", tmp_path)
    dns.responses = [["127.0.0.1"]]
    received: list[str | bytes] = []
    with (
        tls_server(path, received) as port,
        make_session(threads=1, network=Network(allow_insecure=True)) as session,
    ):
        client = make_client(base_url=f"https://jira.example:{port}", session=session)
        with pytest.raises(JiraUnreachable):
            client.create_issue(ISSUE, deadline=deadline_in())

    assert received == ["jira.example"]
