"""The network guard: connections go only to checked, public addresses."""

import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address
from socket import create_connection, create_server

import pytest
from hypothesis import given
from hypothesis import strategies as st

from development.sandbox import Sandbox
from integrations.jira.errors import JiraError, JiraUnreachable
from integrations.jira.network_guard import PUBLIC_ONLY, Network
from integrations.jira.session import make_session
from integrations.tests.fake_jira import ISSUE, FakeDns, MakeClient, deadline_in

PUBLIC = "93.184.216.34"
PUBLIC_V6 = "2606:4700::1111"
METADATA = "169.254.169.254"
INSECURE = Network(allow_insecure=True)

REFUSED = {
    "this network": ["0.0.0.0", "0.255.255.255"],  # noqa: S104 (no binding to it)
    "private 10": ["10.0.0.0", "10.255.255.255"],
    "carrier": ["100.64.0.0", "100.127.255.255"],
    "cloud metadata in the carrier range": ["100.100.100.200"],
    "loopback": ["127.0.0.1", "127.0.0.53", "127.255.255.255"],
    "cloud platform services": ["168.63.129.16"],
    "link-local": ["169.254.0.0", "169.254.255.255"],
    "metadata": [METADATA, "169.254.170.2"],
    "private 172": ["172.16.0.0", "172.31.255.255"],
    "protocol assignments": ["192.0.0.0", "192.0.0.192", "192.0.0.255"],
    "documentation 1": ["192.0.2.0", "192.0.2.255"],
    "6to4 relays": ["192.88.99.0", "192.88.99.1"],
    "private 192": ["192.168.0.0", "192.168.255.255"],
    "benchmarking": ["198.18.0.0", "198.19.255.255"],
    "documentation 2": ["198.51.100.0", "198.51.100.255"],
    "documentation 3": ["203.0.113.0", "203.0.113.255"],
    "multicast": ["224.0.0.1", "239.255.255.255"],
    "reserved": ["240.0.0.0", "255.255.255.254"],
    "broadcast": ["255.255.255.255"],
    "IPv6 unspecified": ["::"],
    "IPv6 loopback": ["::1"],
    "IPv4-compatible": ["::127.0.0.1", "::93.184.216.34"],
    "IPv4-mapped": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:93.184.216.34"],
    "IPv4-translated": ["::ffff:0:127.0.0.1"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::5db8:d822"],
    "local NAT64": ["64:ff9b:1::7f00:1", "64:ff9b:1:ffff::"],
    "discard": ["100::", "100:0:0:1::"],
    "Teredo": ["2001::", "2001:0:ffff::", "2001:0:7f00:1::"],
    "IPv6 benchmarking": ["2001:2::", "2001:2:0:ffff::"],
    "ORCHID": ["2001:10::", "2001:20::", "2001:30::"],
    "IPv6 documentation": ["2001:db8::", "2001:db8:ffff::", "3fff::", "3fff:fff::"],
    "6to4": ["2002::", "2002:7f00:1::", "2002:a9fe:a9fe::", "2002:5db8:d822::"],
    "segment routing": ["5f00::"],
    "reserved IPv6": ["1::", "4000::", "8000::", "e000::"],
    "unique-local": ["fc00::", "fdff:ffff::", "fd00::1"],
    "metadata in unique-local": ["fd00:ec2::254", "fd20:ce::254"],
    "IPv6 link-local": ["fe80::1", "fe80::1%eth0", "febf::"],
    "site-local": ["fec0::", "feff::"],
    "IPv6 multicast": ["ff02::1", "ff0e::1"],
    "no address": ["", "localhost", "127.1", "0x7f000001", "2130706433", "[::1]"],
}
ALLOWED = {
    "IPv4": [PUBLIC, "8.8.8.8", "223.255.255.255"],
    "below and above private 10": ["9.255.255.255", "11.0.0.0"],
    "below and above private 172": ["172.15.255.255", "172.32.0.0"],
    "below and above private 192": ["192.167.255.255", "192.169.0.0"],
    "below and above the carrier's": ["100.63.255.255", "100.128.0.0"],
    "below and above loopback": ["126.255.255.255", "128.0.0.0"],
    "below and above link-local": ["169.253.255.255", "169.255.0.0"],
    "IPv6": [PUBLIC_V6, "2001:200::1", "2001:4860:4860::8888", "2400:cb00::1"],
    "below and above 6to4": ["2001:ffff::1", "2003::1"],
    "below and above documentation": ["2001:db7::1", "2001:db9::1", "3ffe::1"],
}


@pytest.mark.parametrize("addresses", REFUSED.values(), ids=REFUSED.keys())
def test_address_that_is_not_public_is_refused(addresses: list[str]) -> None:
    assert not [one for one in addresses if PUBLIC_ONLY.allows(one)]


@pytest.mark.parametrize("addresses", ALLOWED.values(), ids=ALLOWED.keys())
@pytest.mark.parametrize("network", [PUBLIC_ONLY, INSECURE])
def test_public_address_is_allowed(addresses: list[str], network: Network) -> None:
    assert all(network.allows(one) for one in addresses)


@given(st.ip_addresses())
def test_addresses_that_python_calls_special_are_refused(
    ip: IPv4Address | IPv6Address,
) -> None:
    if PUBLIC_ONLY.allows(str(ip)):
        assert ip.is_global
        assert not ip.is_multicast


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("10.1.2.3", True),
        ("172.17.0.2", True),
        ("192.168.1.2", True),
        (METADATA, False),
        ("::ffff:169.254.169.254", False),
        ("fd00:ec2::254", False),
        ("100.100.100.200", False),
        ("0.0.0.0", False),  # noqa: S104 (no binding to it)
        ("nonsense", False),
    ],
)
def test_insecure_mode_allows_local_networks_but_not_cloud_metadata(
    address: str, allowed: bool
) -> None:
    assert INSECURE.allows(address) is allowed


@pytest.fixture
def send(make_client: MakeClient) -> Iterator[Callable[..., None]]:
    """Sends a ticket with a session that allows only public addresses."""
    with make_session(threads=1) as session:

        def send(base_url: str = "https://jira.example") -> None:
            client = make_client(base_url=base_url, session=session)
            client.create_issue(ISSUE, deadline=deadline_in())

        yield send


@pytest.mark.parametrize(
    "addresses",
    [
        pytest.param(["127.0.0.1"], id="loopback"),
        pytest.param([METADATA], id="metadata"),
        pytest.param(["::1"], id="IPv6 loopback"),
        pytest.param(["::ffff:127.0.0.1"], id="mapped"),
        pytest.param([PUBLIC, "10.0.0.1"], id="private one among public ones"),
        pytest.param(["10.0.0.1", PUBLIC_V6], id="private one before public ones"),
    ],
)
def test_name_that_resolves_to_a_local_address_is_refused(
    send: Callable[..., None],
    dns: FakeDns,
    connected: list[str],
    caplog: pytest.LogCaptureFixture,
    addresses: list[str],
) -> None:
    dns.responses = [addresses]

    with pytest.raises(JiraUnreachable, match="not at a public") as refused:
        send()

    assert connected == []
    [line] = caplog.messages
    assert "jira.example resolves to" in line
    assert not [one for one in addresses if one in str(refused.value)]


@pytest.mark.parametrize(
    "address", ["2130706433", "0x7f.1", "127.1", "017700000001", "[::1]", "localhost"]
)
def test_every_notation_of_the_local_address_is_refused(
    send: Callable[..., None], connected: list[str], address: str
) -> None:
    with pytest.raises(JiraUnreachable, match="not at a public"):
        send(f"https://{address}")

    assert connected == []


def test_dns_rebinding_fails_because_the_checked_address_is_used(
    send: Callable[..., None], dns: FakeDns, connected: list[str]
) -> None:
    dns.responses = [[PUBLIC], ["127.0.0.1"]]

    with pytest.raises(JiraUnreachable, match="could not be reached"):
        send()
    assert (connected, len(dns.queries)) == ([PUBLIC], 1)

    with pytest.raises(JiraUnreachable, match="not at a public"):
        send()
    assert (connected, len(dns.queries)) == ([PUBLIC], 2)


def test_every_address_of_a_name_is_tried(
    make_client: MakeClient, dns: FakeDns, jira: Sandbox, connected: list[str]
) -> None:
    dns.responses = [[PUBLIC_V6, PUBLIC, "127.0.0.1"]]
    client = make_client(base_url=jira.url.replace("127.0.0.1", "jira.example"))

    assert client.create_issue(ISSUE, deadline=deadline_in()).key == "SCRUM-1"
    assert connected == [PUBLIC_V6, PUBLIC, "127.0.0.1"]


def test_open_connection_does_not_resolve_the_name_again(
    make_client: MakeClient, dns: FakeDns, jira: Sandbox
) -> None:
    dns.responses = [["127.0.0.1"], [METADATA]]
    client = make_client(base_url=jira.url.replace("127.0.0.1", "jira.example"))

    for _ in range(3):
        client.create_issue(ISSUE, deadline=deadline_in())

    assert len(dns.queries) == 1


@pytest.mark.parametrize("addresses", [[], ["127.0.0.1"] * 2])
def test_name_without_a_reachable_address_is_unreachable(
    make_client: MakeClient, dns: FakeDns, addresses: list[str]
) -> None:
    dns.responses = [addresses]

    with pytest.raises(JiraUnreachable, match="could not be reached"):
        make_client(base_url="http://jira.example:9").create_issue(
            ISSUE, deadline=deadline_in()
        )


def test_invalid_host_name_is_unreachable(make_client: MakeClient) -> None:
    with pytest.raises(JiraUnreachable):
        make_client(base_url="https://a..b").create_issue(ISSUE, deadline=deadline_in())


def test_addresses_are_not_tried_past_the_deadline(
    make_client: MakeClient, dns: FakeDns
) -> None:
    dns.responses = [["127.0.0.1"] * 50]
    started = time.monotonic()
    with create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        with create_connection(address):  # the backlog is full now
            client = make_client(base_url=f"http://jira.example:{address[1]}")
            with pytest.raises(JiraUnreachable):
                client.create_issue(ISSUE, deadline=deadline_in(0.3))

    assert time.monotonic() - started < 4


def test_plain_http_is_refused_outside_insecure_mode(
    send: Callable[..., None], dns: FakeDns
) -> None:
    with pytest.raises(JiraUnreachable, match="Store its https address"):
        send("http://jira.example")

    assert dns.queries == []


def test_read_explains_why_a_site_is_refused(
    make_client: MakeClient, dns: FakeDns
) -> None:
    dns.responses = [[METADATA]]
    client = make_client(base_url="https://jira.example")

    with pytest.raises(JiraUnreachable, match="not at a public"):
        client.metadata.has_permission("X", "SCRUM", deadline=deadline_in())
    assert client.is_signed_in(deadline=deadline_in())  # true, because nobody denied it


@pytest.mark.parametrize(
    "location", [f"http://{METADATA}/latest/meta-data/", "https://metadata.example/"]
)
def test_redirect_to_a_local_address_is_not_followed(
    make_client: MakeClient,
    jira: Sandbox,
    dns: FakeDns,
    connected: list[str],
    location: str,
) -> None:
    jira.inject("redirect", location=location)
    jira.inject("redirect", location=location, method="GET", path="*")

    with pytest.raises(JiraError):
        make_client().create_issue(ISSUE, deadline=deadline_in())
    with pytest.raises(JiraError):
        make_client().metadata.has_permission("X", "SCRUM", deadline=deadline_in())

    assert set(connected) == {"127.0.0.1"}
    assert dns.queries == []
