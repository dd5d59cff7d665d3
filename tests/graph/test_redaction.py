import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.model.key_form import OPERATOR_KEY, TENANT_KEY, new_secret
from graph.redaction import redacted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ghp_abc123", "ghp_[hidden]"),
        *((f"gh{kind}_AbC123", f"gh{kind}_[hidden]") for kind in "pousr"),
        ("x=github_pat_11AB_cd, y", "x=github_pat_[hidden], y"),
        ("'glpat-aB-1_2.01.x'", "'glpat-[hidden]'"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [hidden]"),
        ("Authorization: abc", "Authorization: [hidden]"),
        ("Proxy-Authorization: Basic YTpi==", "Proxy-Authorization: Basic [hidden]"),
        ("[(b'authorization', b'Basic YTpi')]", "[(b'authorization', b'Basic [hidden]')]"),
        ('{"X-API-Key":"abc"}', '{"X-API-Key":"[hidden]"}'),
        (r"\"Authorization\": \"token abc\"", r"\"Authorization\": \"token [hidden]\""),
        (
            "authorization=\x1b[35mBearer abc\x1b[0m rest",
            "authorization=\x1b[35mBearer [hidden]\x1b[0m rest",
        ),
        ("https://u:p@h/x", "https://[hidden]@h/x"),
        ("https://tok@h:8443/x", "https://[hidden]@h:8443/x"),
        ("redis://:p@h/0", "redis://[hidden]@h/0"),
        ("postgresql://u:p@ss@h/d", "postgresql://[hidden]@h/d"),
        ("https://u:p/a#s?s@h/x", "https://[hidden]@h/x"),
    ],
)
def test_a_secret_is_taken_out_and_the_rest_stays(text, expected):
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ingest.published nodes=3",
        "https://github.com/acme/shop.git",
        "https://h:8443/acme@v1/shop",
        "octocat@example.org",
        "the authorization of the caller",
        "a key is cl_live_ and 42 characters",
        "tokens of ghp_ and glpat- are known",
        "std::vector<int>:: a@b",
    ],
)
def test_what_is_no_secret_stays(text):
    assert redacted(text) == text


@pytest.mark.parametrize("prefix", [TENANT_KEY, OPERATOR_KEY])
def test_our_own_keys_are_known_also_when_their_end_is_missing(prefix):
    secret = new_secret(prefix)
    for shown in (secret, secret[:-6], secret + "0"):
        assert redacted(f"(key {shown})") == f"(key {prefix}[hidden])"


@given(st.text(), st.text(alphabet="abcXYZ019", min_size=4), st.text())
def test_wherever_it_stands_a_token_is_found(before, token, after):
    assert f"ghp_{token}" not in redacted(f"{before} ghp_{token} {after}")


@pytest.mark.parametrize(
    "line",
    ["://" * 100_000, "://a:" * 60_000, "ghp_" * 75_000, "authorization: " * 20_000, "x" * 300_000],
)
def test_a_hostile_line_costs_no_more_than_its_length(line):
    began = time.perf_counter()
    redacted(line)
    # Without the bounds some of these take minutes.
    assert time.perf_counter() - began < 10
