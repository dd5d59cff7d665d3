import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from graph.errors import SettingMissing
from graph.model.ids import CredentialId, TenantId
from graph.storage import keyring
from graph.storage.keyring import (
    Keyring,
    LocalKeys,
    Place,
    SecretKeyMissing,
    SecretUnreadable,
    new_entry,
    parsed,
)

OLD, NEW = "old:" + base64.b64encode(bytes(32)).decode(), new_entry()
SECRET = SecretStr("ghp_sentinel")
HERE = Place(TenantId(UUID(int=1)), CredentialId(UUID(int=2)))
ELSEWHERE = [
    Place(TenantId(UUID(int=3)), HERE.credential_id),
    Place(HERE.tenant_id, CredentialId(UUID(int=3))),
    Place(TenantId(HERE.credential_id), CredentialId(HERE.tenant_id)),
    Place(HERE.tenant_id, HERE.credential_id, "webhook"),
]


def ring(*entries):
    return Keyring(LocalKeys(parsed(",".join(entries))))


def test_a_secret_opens_in_its_place_and_nowhere_else():
    keys = ring(OLD)
    sealed = keys.seal(SECRET, HERE)
    assert keys.open(sealed.body, HERE) == SECRET
    assert b"sentinel" not in sealed.body
    for place in ELSEWHERE:
        with pytest.raises(SecretUnreadable):
            keys.open(sealed.body, place)


def test_what_was_sealed_once_opens_for_ever():
    # Made once and written down: another form would lose what is stored.
    sealed = bytes.fromhex(
        "01036f6c64000102030405060708090a0befa3430d7398e18dab163789313230130d61db15cc1de6f9a28cc54b"
    )
    assert ring(OLD).open(sealed, HERE) == SECRET


def test_no_two_sealings_are_alike():
    keys = ring(OLD)
    assert len({keys.seal(SECRET, HERE).body for _ in range(100)}) == 100


def test_the_first_key_seals_and_all_open():
    sealed = ring(OLD).seal(SECRET, HERE)
    assert sealed.key_id == "old"
    both = ring(NEW, OLD)
    assert both.open(sealed.body, HERE) == SECRET
    newer = both.seal(SECRET, HERE)
    assert newer.key_id == both.current == NEW.partition(":")[0]
    with pytest.raises(SecretKeyMissing):
        ring(OLD).open(newer.body, HERE)
    with pytest.raises(SecretUnreadable):
        ring("old:" + NEW.partition(":")[2]).open(sealed.body, HERE)


@given(st.data())
def test_every_damage_is_noticed(data):
    keys = ring(OLD)
    sealed = bytearray(keys.seal(SECRET, HERE).body)
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises((SecretUnreadable, SecretKeyMissing)):
        keys.open(bytes(sealed), HERE)
    with pytest.raises((SecretUnreadable, SecretKeyMissing)):
        keys.open(bytes(sealed[:place]), HERE)


@given(st.binary(max_size=80))
def test_bytes_that_were_never_sealed_open_nothing(sealed):
    with pytest.raises((SecretUnreadable, SecretKeyMissing)):
        ring(OLD).open(sealed, HERE)


@given(st.text(max_size=50))
def test_any_secret_comes_back(text):
    if any("\ud800" <= each <= "\udfff" for each in text):
        return
    keys = ring(OLD)
    assert keys.open(keys.seal(SecretStr(text), HERE).body, HERE).get_secret_value() == text


@pytest.mark.parametrize(
    "entries",
    [
        "",
        "old",
        ":" + OLD.partition(":")[2],
        OLD + "," + OLD,
        OLD + "A",
        OLD[:-4],
        "old:" + base64.b64encode(bytes(16)).decode(),
        "o|d:" + OLD.partition(":")[2],
        "x" * 65 + ":" + OLD.partition(":")[2],
        OLD + ",,new:sentinel",
        "old:séntinel",
    ],
)
def test_entries_that_are_no_keys_are_refused_without_being_repeated(entries):
    with pytest.raises(SettingMissing) as refused:
        parsed(entries)
    assert "sentinel" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert OLD.partition(":")[2] not in str(refused.value)


def test_without_a_setting_a_key_is_kept_for_its_owner(settings):
    sealed = keyring.of(settings).seal(SECRET, HERE)
    (path,) = settings.codeloom_home.iterdir()
    assert path.name == "credential-keys"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keyring.of(settings).open(sealed.body, HERE) == SECRET
    # A key that is put first seals from now on.
    path.write_text(f"{new_entry()}\n{path.read_text()}")
    assert keyring.of(settings).open(sealed.body, HERE) == SECRET
    assert keyring.of(settings).current != sealed.key_id


def test_processes_that_make_the_key_at_once_agree(settings):
    with ThreadPoolExecutor(16) as pool:
        rings = list(pool.map(lambda _: keyring.of(settings), range(64)))
    assert len({one.current for one in rings}) == 1
    assert len(list(settings.codeloom_home.iterdir())) == 1


def test_the_setting_goes_before_the_file(settings):
    given_ = settings.model_copy(update={"credential_keys": f"{NEW}, {OLD}"})
    assert keyring.of(given_).current == NEW.partition(":")[0]
    assert not settings.codeloom_home.exists()


def test_a_directory_that_cannot_be_written_is_said(settings):
    settings.codeloom_home.write_text("a file is in the way")
    with pytest.raises(SettingMissing, match="CREDENTIAL_KEYS"):
        keyring.of(settings)


def test_nothing_prints_a_key_or_a_secret(settings):
    given_ = settings.model_copy(update={"credential_keys": OLD})
    keys = keyring.of(given_)
    shown = f"{keys!r} {keys} {keys.provider!r} {given_!r} {given_} {SECRET!r} {SECRET}"
    assert OLD.partition(":")[2] not in shown
    assert "sentinel" not in shown


def test_another_provider_can_stand_behind_the_keyring():
    class Reversing:
        """As far from a cipher as can be: the keyring must not care."""

        current = "kms-1"

        def seal(self, key_id, secret, context):
            assert key_id == "kms-1"
            return (context + b"/" + secret)[::-1]

        def open(self, key_id, sealed, context):
            found, _, secret = sealed[::-1].rpartition(b"/")
            if (key_id, found) != ("kms-1", context):
                raise SecretUnreadable
            return secret

    keys = Keyring(Reversing())
    sealed = keys.seal(SECRET, HERE)
    assert sealed.key_id == "kms-1"
    assert keys.open(sealed.body, HERE) == SECRET
    with pytest.raises(SecretUnreadable):
        keys.open(sealed.body, ELSEWHERE[0])
