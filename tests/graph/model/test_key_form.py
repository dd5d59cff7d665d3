import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.model import key_form
from graph.model.key_form import OPERATOR_KEY, TENANT_KEY, checksum, new_secret, well_formed

ALPHABET = string.digits + string.ascii_letters
# Made once and written down: keys that were given out stay valid.
GOLDEN = {
    TENANT_KEY: "cl_live_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ1EuWPY",
    OPERATOR_KEY: "cl_oper_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz2OjjJY",
}


@pytest.mark.parametrize("prefix", GOLDEN)
def test_a_key_that_was_given_out_once_is_one_for_ever(prefix):
    assert well_formed(GOLDEN[prefix], prefix)
    other = OPERATOR_KEY if prefix == TENANT_KEY else TENANT_KEY
    assert not well_formed(GOLDEN[prefix], other)


def test_the_checksum_is_the_crc_that_everybody_knows():
    # The check value of CRC-32 in its catalogues, 0xCBF43926, to the base of 62.
    digits = string.digits + string.ascii_uppercase + string.ascii_lowercase
    value = sum(digits.index(d) * 62**i for i, d in enumerate(reversed(checksum("123456789"))))
    assert value == 0xCBF43926


@pytest.mark.parametrize("prefix", GOLDEN)
def test_every_corruption_of_one_character_is_noticed(prefix):
    secret = GOLDEN[prefix]
    tried = 0
    for place, right in enumerate(secret):
        for wrong in set(string.printable) - {right}:
            tried += 1
            assert not well_formed(secret[:place] + wrong + secret[place + 1 :], prefix)
        assert not well_formed(secret[:place] + secret[place + 1 :], prefix)
        assert not well_formed(secret[:place] + "0" + secret[place:], prefix)
    assert tried == len(secret) * (len(string.printable) - 1)
    assert not well_formed(secret + "\n", prefix)


@given(st.text(ALPHABET, min_size=36, max_size=36), st.integers(0, 48))
def test_two_neighbours_that_changed_places_are_noticed(body, place):
    secret = TENANT_KEY + body
    secret += checksum(secret)
    assert well_formed(secret, TENANT_KEY)
    swapped = secret[:place] + secret[place + 1] + secret[place] + secret[place + 2 :]
    assert well_formed(swapped, TENANT_KEY) == (swapped == secret)


@given(st.text())
def test_no_text_at_all_breaks_the_check(text):
    assert not well_formed(text, TENANT_KEY)
    assert not well_formed(TENANT_KEY + text, TENANT_KEY)


def test_new_keys_have_the_form_that_scanners_are_told_and_differ():
    made = {new_secret(TENANT_KEY) for _ in range(200)}
    assert len(made) == 200
    for secret in made:
        assert re.fullmatch(r"cl_(live|oper)_[0-9A-Za-z]{42}", secret)
        assert well_formed(secret, TENANT_KEY)


def test_the_digest_is_the_sha256_of_the_whole_key():
    assert key_form.digest("abc").hex() == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
