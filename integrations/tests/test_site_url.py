"""The address of a site: it is stored in one form, and hostile ones are refused."""

import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings

from integrations.connections.site_url import normalize_site_url

SITE = "https://example.atlassian.net"

HOSTILE = {
    "empty": "",
    "blank": " ",
    "no scheme": "example.atlassian.net",
    "relative scheme": "//example.atlassian.net",
    "one slash": "https:/example.atlassian.net",
    "three slashes": "https:///example.atlassian.net",
    "no host": "https://",
    "no host but a port": "https://:443",
    "plain http": "http://example.atlassian.net",
    "ftp": "ftp://example.atlassian.net",
    "file": "file:///etc/passwd",
    "gopher": "gopher://127.0.0.1:6379/_INFO",
    "javascript": "javascript:alert(1)",
    "data": "data:text/html,x",
    "scheme of a look-alike s": "httpſ://example.atlassian.net",
    "user": "https://user@example.atlassian.net",
    "user and password": "https://user:word@example.atlassian.net",
    "allowed host as user": "https://example.atlassian.net@evil.example",
    "allowed host as user and password": "https://a.atlassian.net:x@evil.example",
    "empty user": "https://@example.atlassian.net",
    "encoded at": "https://example.atlassian.net%40evil.example",
    "other port": "https://example.atlassian.net:8443",
    "port of http": "https://example.atlassian.net:80",
    "port of redis": "https://example.atlassian.net:6379",
    "port 0": "https://example.atlassian.net:0",
    "port too high": "https://example.atlassian.net:65536",
    "port that wraps to 443": "https://example.atlassian.net:65979",
    "empty port": "https://example.atlassian.net:",
    "port of letters": "https://example.atlassian.net:https",
    "negative port": "https://example.atlassian.net:-443",
    "port in Arabic digits": "https://example.atlassian.net:٤٤٣",
    "path": "https://example.atlassian.net/jira",
    "two slashes at the end": "https://example.atlassian.net//",
    "path upwards": "https://example.atlassian.net/..",
    "query": "https://example.atlassian.net?x=1",
    "empty query": "https://example.atlassian.net?",
    "fragment": "https://example.atlassian.net#x",
    "fragment before the allowed host": "https://evil.example#.atlassian.net",
    "query before the allowed host": "https://evil.example?.atlassian.net",
    "path before the allowed host": "https://evil.example/.atlassian.net",
    "backslash": "https://evil.example\\.atlassian.net",
    "backslashes for slashes": "https:\\\\example.atlassian.net",
    "backslash and at": "https://evil.example\\@example.atlassian.net",
    "semicolon": "https://evil.example;.atlassian.net",
    "encoded slash": "https://evil.example%2F.atlassian.net",
    "encoded dot": "https://example%2eatlassian.net",
    "encoded NUL": "https://evil.example%00.atlassian.net",
    "NUL": "https://evil.example\0.atlassian.net",
    "space before": " https://example.atlassian.net",
    "space after": "https://example.atlassian.net ",
    "space inside": "https://evil.example .atlassian.net",
    "newline after": "https://example.atlassian.net\n",
    "header by newline": "https://example.atlassian.net\r\nX-Evil: 1",
    "tab that others drop": "https://exam\tple.atlassian.net",
    "newline in the scheme": "ht\ntps://example.atlassian.net",
    "soft hyphen": "https://exam\u00adple.atlassian.net",
    "zero-width space": "https://example.atlassian.net\u200b",
    "right to left": "https://\u202eexample.atlassian.net",
    "ideographic space": "https://evil.example\u3000.atlassian.net",
    "look-alike slash": "https://evil.example／.atlassian.net",
    "look-alike question mark": "https://evil.example？.atlassian.net",
    "look-alike hash": "https://evil.example＃.atlassian.net",
    "look-alike at": "https://evil.example＠example.atlassian.net",
    "look-alike colon": "https://example.atlassian.net：8443",
    "sign that becomes a slash": "https://evil.c℀.atlassian.net",
    "not allowed host": "https://evil.example",
    "parent of the allowed hosts": "https://atlassian.net",
    "allowed name as an ending": "https://evilatlassian.net",
    "allowed name as a beginning": "https://example.atlassian.net.evil.example",
    "allowed name with another ending": "https://example.atlassian.network",
    "look-alike letter": "https://example.atlassiаn.net",
    "gateway": "https://api.atlassian.com",
    "empty label": "https://example..atlassian.net",
    "dot first": "https://.atlassian.net",
    "only dots": "https://...",
    "two dots at the end": "https://example.atlassian.net..",
    "hyphen first": "https://-.atlassian.net",
    "underscore": "https://a_b.atlassian.net",
    "star": "https://*.atlassian.net",
    "comma": "https://evil.example,x.atlassian.net",
    "quotation mark": "https://x'or'1.atlassian.net",
    "markup": "https://<b>.atlassian.net",
    "template": "https://{{7*7}}.atlassian.net",
    "snowman": "https://☃.atlassian.net",
    "Punycode of nothing": "https://xn--.atlassian.net",
    "Punycode that is broken": "https://xn--a.atlassian.net",
    "label too long": f"https://{'a' * 64}.atlassian.net",
    "name too long": f"https://{'a.' * 200}atlassian.net",
    "very long": f"https://{'a' * 100_000}.atlassian.net",
    "localhost": "https://localhost",
    "localhost by a domain": "https://localhost.localdomain",
    "single label": "https://jira",
    "internal name": "https://metadata.google.internal",
    "name that leads to an address": "https://127.0.0.1.nip.io",
    "loopback": "https://127.0.0.1",
    "metadata": "https://169.254.169.254",
    "private": "https://10.0.0.1",
    "unspecified": "https://0.0.0.0",
    "public address": "https://93.184.216.34",
    "address with a dot after": "https://127.0.0.1.",
    "short address": "https://127.1",
    "zero": "https://0",
    "decimal": "https://2130706433",
    "octal": "https://0177.0.0.1",
    "octal whole": "https://017700000001",
    "hex": "https://0x7f000001",
    "hex in parts": "https://0x7f.0x0.0x0.0x1",
    "mixed": "https://0x7f.1",
    "too large": "https://127.0.0.256",
    "wide digits": "https://１２７.0.0.1",
    "circled digits": "https://①②⑦.⓪.⓪.①",
    "ideographic dots": "https://127。0。0。1",
    "IPv6 loopback": "https://[::1]",
    "IPv6 loopback with port": "https://[::1]:443",
    "IPv6 unspecified": "https://[::]",
    "IPv6 mapped": "https://[::ffff:127.0.0.1]",
    "IPv6 mapped in hex": "https://[::ffff:7f00:1]",
    "IPv6 of the metadata": "https://[fd00:ec2::254]",
    "IPv6 public": "https://[2606:4700::1111]",
    "IPv6 with zone": "https://[fe80::1%25eth0]",
    "IPv6 without brackets": "https://::1",
    "IPv6 that never ends": "https://[::1",
    "IPv6 of a future kind": "https://[v1.x]",
    "allowed name in brackets": "https://[example.atlassian.net]",
    "address under an allowed name's port": "https://127.0.0.1:443",
    "two sites": "https://a.atlassian.net,https://b.atlassian.net",
}


@pytest.fixture(autouse=True)
def in_production(settings: Settings) -> None:
    settings.JIRA_ALLOW_INSECURE = False


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_site_is_refused_with_advice(text: str) -> None:
    with pytest.raises(ValidationError, match="Enter the address") as refused:
        normalize_site_url(text)

    assert refused.value.code == "invalid_site"


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        pytest.param(SITE, SITE, id="normal form"),
        pytest.param(f"{SITE}/", SITE, id="slash at the end"),
        pytest.param(f"{SITE}:443", SITE, id="port"),
        pytest.param(f"{SITE}:443/", SITE, id="port and slash"),
        pytest.param(f"{SITE}.", SITE, id="dot at the end"),
        pytest.param(f"{SITE}.:443/", SITE, id="dot, port and slash"),
        pytest.param("HTTPS://Example.ATLASSIAN.net", SITE, id="capitals"),
        pytest.param("https://ｅxample。atlassian.net", SITE, id="wide characters"),
        pytest.param(
            "https://Bücher.atlassian.net",
            "https://xn--bcher-kva.atlassian.net",
            id="international name",
        ),
        pytest.param(
            "https://xn--bcher-kva.atlassian.net",
            "https://xn--bcher-kva.atlassian.net",
            id="its ASCII form",
        ),
        pytest.param(
            "https://a.b-2.atlassian.net", "https://a.b-2.atlassian.net", id="deeper"
        ),
        pytest.param(
            "https://0x7f.atlassian.net", "https://0x7f.atlassian.net", id="digits"
        ),
    ],
)
def test_site_is_stored_in_one_form(text: str, stored: str) -> None:
    assert normalize_site_url(text) == stored
    assert normalize_site_url(stored) == stored


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("jira.example.com", True),
        ("a.jira.example.com", False),
        ("a.example.org", True),
        ("a.b.example.org", True),
        ("example.org", False),
        ("aexample.org", False),
        ("example.atlassian.net", False),
    ],
)
def test_allowed_hosts_match_whole_labels(
    host: str, allowed: bool, settings: Settings
) -> None:
    settings.JIRA_ALLOWED_HOSTS = ["jira.example.com", "*.example.org"]

    if allowed:
        assert normalize_site_url(f"https://{host}") == f"https://{host}"
    else:
        with pytest.raises(ValidationError, match="JIRA_ALLOWED_HOSTS") as refused:
            normalize_site_url(f"https://{host}")
        assert f"{host} is not a site" in str(refused.value)


@pytest.mark.parametrize("host", ["10.0.0.1", "2130706433", "0x7f.1"])
def test_ip_address_is_refused_even_if_a_pattern_allows_it(
    host: str, settings: Settings
) -> None:
    settings.JIRA_ALLOWED_HOSTS = [host, "*.1"]

    with pytest.raises(ValidationError, match="nothing after the name"):
        normalize_site_url(f"https://{host}")


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("http://127.0.0.1:8081/", "http://127.0.0.1:8081"),
        ("http://LOCALHOST:80", "http://localhost"),
        ("http://[0:0::1]:8081", "http://[::1]:8081"),
        ("https://jira.internal:443", "https://jira.internal"),
        ("http://jira:443", "http://jira:443"),
    ],
)
def test_insecure_mode_accepts_any_origin(
    text: str, stored: str, settings: Settings
) -> None:
    settings.JIRA_ALLOW_INSECURE = True

    assert normalize_site_url(text) == stored


@pytest.mark.parametrize(
    "text",
    [
        "ftp://127.0.0.1",
        "http://user@127.0.0.1",
        "http://127.0.0.1/jira",
        "http://127.0.0.1:0",
        "http://127.0.0.1:65536",
        "http://[::1::1]",
        "http://a b",
        f"https://{'a.' * 122}example",
        f"http://{'ü.' * 40}example",
    ],
)
def test_insecure_mode_accepts_only_origins(text: str, settings: Settings) -> None:
    settings.JIRA_ALLOW_INSECURE = True

    with pytest.raises(ValidationError):
        normalize_site_url(text)
