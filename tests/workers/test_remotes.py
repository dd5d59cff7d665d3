"""The grammar of remotes: what is taken, in which form, and what is refused."""

import re
from pathlib import Path

import pytest

from graph.errors import RefNotFound, RemoteNotAllowed
from workers.git import remotes, targets


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("https://github.com/pallets/flask", "https://github.com/pallets/flask"),
        ("HTTPS://GitHub.com/Pallets/Flask/", "https://github.com/Pallets/Flask"),
        ("https://git.example.com:443/a.git", "https://git.example.com/a.git"),
        ("https://git.example.com:8443/a/b/c~d", "https://git.example.com:8443/a/b/c~d"),
        ("https://203.0.113.7/a", "https://203.0.113.7/a"),
        ("https://[2001:DB8::1]:99/a", "https://[2001:db8::1]:99/a"),
        ("https://example.com/a%20b", "https://example.com/a%20b"),
    ],
)
def test_an_https_url_has_one_form(text: str, canonical: str) -> None:
    assert str(remotes.parse(text, allow_local=False)) == canonical


def test_known_forges_are_asked_at_the_address_that_does_not_redirect() -> None:
    forge = remotes.parse("https://gitlab.com/group/project", allow_local=False)
    other = remotes.parse("https://git.example.com/project", allow_local=False)
    assert isinstance(forge, remotes.HttpsRemote)
    assert isinstance(other, remotes.HttpsRemote)
    assert forge.fetch_url == "https://gitlab.com/group/project.git"
    assert other.fetch_url == "https://git.example.com/project"
    assert forge.name == "group/project"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "--upload-pack=touch canary;",
        "-uhttps://example.com/a",
        "ext::sh -c 'touch canary'",
        "fd::17/a",
        "file:///etc",
        "ssh://-oProxyCommand=touch/a",
        "git@github.com:pallets/flask.git",
        "git://example.com/a",
        "http://example.com/a",
        "https:example.com/a",
        "https:///a",
        "https://example.com",
        "https://example.com/",
        "https://user@example.com/a",
        "https://user:password@example.com/a",
        "https://ok@127.0.0.1/a",
        "https://example.com/a?x=1",
        "https://example.com/a#b",
        "https://example.com/a b",
        "https://example.com/a\nb",
        "https://example.com/a\r",
        "https://example.com/a\x00",
        "https://example.com/a\tb",
        "https://example.com\\@evil.example/a",
        "https://example.com/a\\b",
        "https://example.com/../a",
        "https://example.com/a/./b",
        "https://example.com/a//b",
        "https://example.com/%2e%2e/a",
        "https://example.com/a%2fb",
        "https://example.com/a%00b",
        "https://example.com/a%0ab",
        "https://example.com/a%zz",
        "https://example.com/-a",
        "https://example.com:0/a",
        "https://example.com:70000/a",
        "https://example.com:/a",
        "https://example.com.:99/a",
        "https://-example.com/a",
        "https://ex_ample.com/a",
        "https://2130706433/a",
        "https://0x7f.1/a",
        "https://0177.0.0.1/a",
        "https://127.1/a",
        "https://1.2.3.4.5/a",
        "https://[::1/a",
        "https://[1.2.3.4]/a",
        "https://bücher.example/a",
        "https://example.com/" + "a" * 2100,
        "/etc",
    ],
)
def test_what_is_not_an_https_url_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(RemoteNotAllowed) as refused:
        remotes.parse(text, allow_local=False)
    assert "password" not in refused.value.message.replace("or a password", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("git@github.com:pallets/flask.git", "https form: https://github.com/pallets/flask.git."),
        ("github.com:pallets/flask", "https form: https://github.com/pallets/flask."),
        ("git@Git.Example.com:/a", "https form: https://git.example.com/a."),
        ("ssh://git@github.com/pallets/flask", "https form: https://github.com/pallets/flask."),
        ("ssh://me:secret@example.com:2222/a", "https form: https://example.com/a."),
        ("git+ssh://example.com/a", "https form: https://example.com/a."),
        ("ssh://-oProxyCommand=touch/a", "https form: https://host/path."),
        ("git@host:a?b", "https form: https://host/path."),
        ("git://example.com/a", "must be an https URL"),
        ("a:b", "must be an https URL"),
        ("me:secret@host:a", "must be an https URL"),
    ],
)
def test_an_address_of_ssh_is_refused_with_the_one_to_use(text: str, said: str) -> None:
    with pytest.raises(RemoteNotAllowed, match=re.escape(said)) as refused:
        remotes.parse(text, allow_local=True)
    assert "secret" not in refused.value.message


def test_a_path_is_a_remote_only_where_it_is_allowed() -> None:
    assert remotes.parse("/srv/a//b/../c.git/", allow_local=True) == remotes.LocalRemote(
        Path("/srv/a/c.git")
    )
    for path in ("/srv/a", "/srv/with space/é%20", "/srv/a#b?c"):
        remote = remotes.LocalRemote(Path(path))
        assert remotes.parse(path, allow_local=True) == remote
        assert remotes.parse(remote.url, allow_local=True) == remote
    for text in (
        "relative/path",
        "~/a",
        "file://host/a",
        "file:///a%00b",
        "/srv/\x00a",
        "/" + "a/" * 3000,
    ):
        with pytest.raises(RemoteNotAllowed):
            remotes.parse(text, allow_local=True)


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "-b",
        "--upload-pack=x",
        "a..b",
        "a~1",
        "a^",
        "a:b",
        ":/text",
        "a b",
        "a\nb",
        "a*",
        "[a]",
        "@{upstream}",
        "@",
        "a/",
        "/a",
        "a.lock",
        ".a",
        "a/.b",
        "a//b",
        "a\x7f",
        "a" * 1025,
    ],
)
def test_what_cannot_name_a_ref_is_refused(wanted: str) -> None:
    with pytest.raises(RefNotFound):
        targets.check_wanted(wanted)


@pytest.mark.parametrize("wanted", ["main", "feature/ä-1", "v1.0.0", "refs/pull/1/head", "a@b"])
def test_what_names_a_ref_passes(wanted: str) -> None:
    targets.check_wanted(wanted)
