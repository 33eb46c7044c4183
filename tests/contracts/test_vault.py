"""What one key has sealed is opened by that key alone, for the access key that it was sealed for."""

import base64
import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.adapters.vault import SEALED, SealBroken, Vault, VaultShut, make_key, read_key
from tests.contracts.rows import VAULT

ID, OTHER_ID = "AKIAAAAAAAAAAAAAAAAA", "AKIABBBBBBBBBBBBBBBB"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ROOM = 128
"""Characters that the column has."""


def broken(vault: Vault, key_id: str, sealed: str) -> bool:
    try:
        vault.open(key_id, sealed)
    except SealBroken:
        return True
    return False


@given(st.text(max_size=60), st.text(st.characters(codec="utf-8"), max_size=40))
def test_what_was_sealed_is_opened_again(key_id: str, secret: str) -> None:
    assert VAULT.open(key_id, VAULT.seal(key_id, secret)) == secret


def test_a_sealed_secret_says_nothing_of_it_and_fits_the_column() -> None:
    sealed = VAULT.seal(ID, SECRET)

    assert sealed.startswith(SEALED)
    assert SECRET.encode() not in base64.b64decode(sealed.removeprefix(SEALED))
    assert len(sealed) <= ROOM


def test_one_secret_is_sealed_differently_each_time() -> None:
    assert len({VAULT.seal(ID, SECRET) for _ in range(100)}) == 100


def test_a_sealed_secret_cannot_be_moved_to_another_key() -> None:
    assert broken(VAULT, OTHER_ID, VAULT.seal(ID, SECRET))


def test_another_key_opens_nothing() -> None:
    assert broken(Vault(os.urandom(32)), ID, VAULT.seal(ID, SECRET))


@given(st.integers(0, 67), st.integers(1, 255))
def test_a_sealed_secret_of_which_one_bit_differs_is_broken(at: int, bits: int) -> None:
    raw = bytearray(base64.b64decode(VAULT.seal(ID, SECRET).removeprefix(SEALED)))
    raw[at] ^= bits

    assert broken(VAULT, ID, SEALED + base64.b64encode(raw).decode())


@pytest.mark.parametrize("text", [SECRET, "", SEALED, SEALED + "AAAA", SEALED + "no base64", "v2:" + "A" * 92])
def test_what_was_never_sealed_is_not_taken_for_a_secret(text: str) -> None:
    assert broken(VAULT, ID, text)


def test_what_is_signed_with_needs_both_the_key_and_the_row() -> None:
    keys = {Vault(key).signing_key(row) for key in (b"a" * 32, b"b" * 32) for row in (b"1", b"2")}

    assert len(keys) == 4
    assert not keys & {b"1", b"2"}
    assert Vault(b"a" * 32).signing_key(b"1") in keys


def test_a_mark_tells_one_key_from_another_and_is_none_of_what_it_is_used_for() -> None:
    same, other = Vault(b"a" * 32), Vault(b"b" * 32)

    assert same.fits(Vault(b"a" * 32).mark)
    assert not other.fits(same.mark)
    assert same.mark not in (b"a" * 32, same.signing_key(b""))


def test_the_library_that_seals_is_imported_when_something_is_sealed_and_not_before() -> None:
    look = "import sys, moorage.wiring, moorage.adapters.vault as v; v.Vault(bytes(32)).signing_key(b''); print('cryptography' in sys.modules)"

    assert subprocess.check_output([sys.executable, "-c", look], text=True) == "False\n"


# --- its file -----------------------------------------------------------------------------------------------------------


def test_a_key_is_made_of_its_own_for_its_owner_alone(tmp_path: Path) -> None:
    one, two = make_key(tmp_path / "one"), make_key(tmp_path / "two")

    assert read_key(tmp_path / "one") == one != two
    assert len(one) == 32
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o600
    assert read_key(tmp_path / "three") is None


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33])
def test_a_file_of_another_length_is_no_key(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)

    with pytest.raises(VaultShut, match=f"is not a key of secrets: that is 32 bytes, and this is {len(content)}"):
        read_key(tmp_path / "key")


def test_a_key_that_cannot_be_read_or_made_is_refused_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    with pytest.raises(VaultShut, match=f"{tmp_path}, the key of the secrets, cannot be read: Is a directory"):
        read_key(tmp_path)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(VaultShut, match="cannot be read: Permission denied"):
        read_key(tmp_path / "key")
    with pytest.raises(VaultShut, match="cannot be made: No such file or directory"):
        make_key(tmp_path / "nowhere" / "key")
