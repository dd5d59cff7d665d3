import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.model.hosts import canonical


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("github.com", "github.com"),
        ("GitHub.COM", "github.com"),
        ("git.example.com:443", "git.example.com"),
        ("git.example.com:0443", "git.example.com"),
        ("git.example.com:8443", "git.example.com:8443"),
        ("localhost", "localhost"),
        ("r3---sn-a.example.com", "r3---sn-a.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example:8443", "xn--bcher-kva.example:8443"),
        ("bücher。example", "xn--bcher-kva.example"),
        # What cannot be seen is no part of a name.
        ("git\u200bhub.com", "github.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        # Not fass.de, which belongs to somebody else.
        ("faß.de", "xn--fa-hia.de"),
        ("10.0.0.1", "10.0.0.1"),
        ("\uff11\uff10.0.0.1", "10.0.0.1"),
        ("[2001:DB8:0::1]:8443", "[2001:db8::1]:8443"),
    ],
)
def test_a_host_has_one_form(given_, expected):
    assert canonical(given_) == expected
    assert canonical(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "git example.com",
        "example.com ",
        "example.com\n",
        "https://example.com",
        "example.com/path",
        "user@example.com",
        "user:word@example.com",
        "example.com?x",
        "example.com#x",
        "example.com\\x",
        "example.com.",
        ".example.com",
        "exa..mple.com",
        "-example.com",
        "exa_mple.com",
        "*.example.com",
        "example.com:",
        "example.com:0",
        "example.com:65536",
        "example.com:\uff11",
        "example.com:1:2",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "1.2.3.4.5",
        "[::1",
        "::1",
        "[fe80::1%eth0]",
        "[127.0.0.1]",
        "ex\0ample.com",
        "a" * 64 + ".com",
        ".".join(["a" * 60] * 5),
        "xn--.com\u0301",
    ],
)
def test_what_is_no_host_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        canonical(text)


@given(st.text(max_size=40))
def test_no_text_breaks_it_and_what_comes_out_is_stable(text):
    try:
        found = canonical(text)
    except ValueError:
        return
    assert found.isascii()
    assert found == found.lower() == canonical(found)
    assert not set(found) & set("/@?#\\ ")
