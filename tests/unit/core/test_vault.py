"""Personal fields: sealed for one place, found by a keyed hash, under keys that change."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from core import vault
from core.errors import Invalid
from core.settings import Settings
from core.vault import DamagedField, Sealed, Vault

OLD, NEW = "an older key for the tests of enough bytes", "a newer key for the tests of enough bytes"
PLACE = {"table": "people", "row": "per_1", "column": "email"}

texts = st.text(st.characters(exclude_categories=["Cs"]))
names = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
rows = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
places = st.fixed_dictionaries({"table": names, "row": rows, "column": names})


# --- One key ----------------------------------------------------------------------------------------------------------


@given(texts, places)
def test_what_is_sealed_opens_in_its_place(value: str, place: dict[str, str]) -> None:
    keys = Vault({"k": OLD})
    assert keys.open(keys.seal(value, **place), **place) == value


@given(st.text(st.characters(codec="utf-8"), min_size=6))
def test_what_is_sealed_shows_nothing_of_the_value_and_never_looks_the_same(value: str) -> None:
    keys = Vault({"k": OLD})
    one, other = keys.seal(value, **PLACE), keys.seal(value, **PLACE)
    assert one != other
    assert value not in one
    assert value.encode() not in base64.urlsafe_b64decode(one.partition(".")[2])


@given(texts, places, places)
def test_in_any_other_place_it_does_not_open(value: str, place: dict[str, str], other: dict[str, str]) -> None:
    keys = Vault({"k": OLD})
    sealed = keys.seal(value, **place)
    for part in place:
        moved = place | {part: other[part]}
        if moved != place:
            with pytest.raises(DamagedField):
                keys.open(sealed, **moved)
    if other != place:
        with pytest.raises(DamagedField):
            keys.open(sealed, **other)


@pytest.mark.parametrize(
    "moved", [PLACE | {"row": "per_2"}, PLACE | {"column": "phone"}, PLACE | {"table": "users"}], ids=lambda p: str(p)
)
def test_a_field_moved_to_another_row_column_or_table_does_not_open(moved: dict[str, str]) -> None:
    keys = Vault({"k": OLD})
    with pytest.raises(DamagedField):
        keys.open(keys.seal("ada@example.com", **PLACE), **moved)


@given(texts, st.data())
def test_a_field_changed_anywhere_does_not_open(value: str, data: st.DataObject) -> None:
    keys = Vault({"k": OLD})
    kid, _, text = keys.seal(value, **PLACE).partition(".")
    raw = bytearray(base64.urlsafe_b64decode(text))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(raw) - 1))
    for changed in (raw, raw[:cut], raw + b"\0"):
        with pytest.raises(DamagedField):
            keys.open(f"{kid}.{base64.urlsafe_b64encode(changed).decode()}", **PLACE)


@given(st.text() | st.text().map(lambda text: f"k.{text}"))
def test_what_was_never_sealed_does_not_open(text: str) -> None:
    with pytest.raises(DamagedField):
        Vault({"k": OLD}).open(text, **PLACE)


def test_another_key_does_not_open_it_whatever_it_is_called() -> None:
    sealed = Vault({"k": OLD}).seal("ada@example.com", **PLACE)
    for keys in (Vault({"k": NEW}), Vault({"n": NEW}), Vault({"n": OLD})):
        with pytest.raises(DamagedField):
            keys.open(sealed, **PLACE)
    relabelled = sealed.replace("k.", "n.")
    with pytest.raises(DamagedField):
        Vault({"n": NEW, "k": OLD}).open(relabelled, **PLACE)


def test_a_damaged_field_is_named_by_its_place_alone() -> None:
    keys = Vault({"k": OLD})
    sealed = keys.seal("ada@example.com", **PLACE)
    with pytest.raises(DamagedField) as caught:
        keys.open(sealed, **PLACE | {"row": "per_2"})
    assert str(caught.value) == "people.email of per_2 does not open"
    assert caught.value.__cause__ is None


@given(texts, texts, names, names)
def test_equal_values_of_one_column_have_equal_hashes_and_nothing_else_has(
    value: str, other: str, column: str, elsewhere: str
) -> None:
    keys = Vault({"k": OLD})
    hashed = keys.hash(value, column=column)
    assert hashed == Vault({"k": OLD}).hash(value, column=column)
    assert (hashed == keys.hash(other, column=column)) == (value == other)
    assert (hashed == keys.hash(value, column=elsewhere)) == (column == elsewhere)
    assert hashed != Vault({"k": NEW}).hash(value, column=column)
    assert len(hashed) == 64


def test_what_no_row_can_hold_may_be_asked_for() -> None:
    assert Vault({"k": OLD}).hash("\ud800", column="people.email")


@pytest.mark.parametrize(
    "secrets",
    [{}, {"k": "short"}, {"k": OLD, "n": "x" * 31}, {"": OLD}, {"a.b": OLD}, {"k" * 9: OLD}, {"k%": OLD}, {"é": OLD}],
    ids=str,
)
def test_keys_that_will_not_do_are_refused(secrets: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="field key") as caught:
        Vault(secrets)
    assert OLD not in str(caught.value)


# --- Keys that change -------------------------------------------------------------------------------------------------


@given(texts)
def test_while_two_keys_live_the_older_opens_and_the_newest_seals(value: str) -> None:
    before, both, after = Vault({"k": OLD}), Vault({"n": NEW, "k": OLD}), Vault({"n": NEW})
    sealed = before.seal(value, **PLACE)
    assert both.open(sealed, **PLACE) == value
    assert not both.is_newest(sealed)
    anew = both.seal(both.open(sealed, **PLACE), **PLACE)
    assert both.is_newest(anew)
    assert after.open(anew, **PLACE) == value
    for keys, gone in ((after, sealed), (before, anew)):
        with pytest.raises(DamagedField):
            keys.open(gone, **PLACE)


def test_while_two_keys_live_a_value_is_found_under_both() -> None:
    before, both, after = Vault({"k": OLD}), Vault({"n": NEW, "k": OLD}), Vault({"n": NEW})
    hashes = both.hashes("ada@example.com", column="users.email")
    assert hashes == tuple(keys.hash("ada@example.com", column="users.email") for keys in (after, before))
    assert both.hash("ada@example.com", column="users.email") == hashes[0]


def test_a_new_key_may_be_known_before_it_seals() -> None:
    known = Vault({"k": OLD, "n": NEW})
    assert known.newest == "k"
    assert known.open(Vault({"n": NEW}).seal("x", **PLACE), **PLACE) == "x"


@pytest.mark.parametrize(("newest", "older"), [("a", "A"), ("A", "a"), ("1", "12"), ("12", "1")])
def test_keys_of_like_names_are_told_apart(newest: str, older: str) -> None:
    sealed = Vault({older: OLD}).seal("x", **PLACE)
    assert not Vault({newest: NEW, older: OLD}).is_newest(sealed)


# --- The keys of an installation --------------------------------------------------------------------------------------


def installation(folder: Path, keys: str = "", secret: str = "") -> Vault:
    return vault.of_settings(
        Settings(_env_file=None, data_dir=folder, secret_key=SecretStr(secret), field_keys=keys)  # type: ignore[call-arg]
    )


def test_without_field_keys_the_servers_secret_is_the_key(tmp_path: Path) -> None:
    keys = installation(tmp_path)
    assert keys.newest == "0"
    sealed = keys.seal("x", **PLACE)
    assert installation(tmp_path).open(sealed, **PLACE) == "x"
    assert installation(tmp_path, f"1:{NEW}").open(sealed, **PLACE) == "x"
    with pytest.raises(DamagedField):
        installation(tmp_path / "elsewhere").open(sealed, **PLACE)


def test_the_first_field_key_seals(tmp_path: Path) -> None:
    assert installation(tmp_path, f"2:{NEW}, 1:{OLD}").newest == "2"


def test_the_servers_secret_can_be_changed_too(tmp_path: Path) -> None:
    before = installation(tmp_path, secret=OLD)
    sealed = before.seal("x", **PLACE)
    both = installation(tmp_path, f"1:{NEW},0:{OLD}", secret="another secret of the server long enough")
    assert both.open(sealed, **PLACE) == "x"
    assert both.newest == "1"


def test_a_key_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="an id of its own"):
        installation(tmp_path, f"1:{NEW},1:{OLD}")


def test_a_locked_vault_opens_nothing() -> None:
    program = "from core import vault\ntry: vault.vault()\nexcept vault.VaultLocked: print('locked')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "locked\n"


# --- Rows -------------------------------------------------------------------------------------------------------------


class Base(DeclarativeBase):
    pass


class Pet(Base):
    __tablename__ = "pets"

    id: Mapped[str] = mapped_column(primary_key=True)
    chip_sealed: Mapped[str | None]
    chip_hash: Mapped[str | None] = mapped_column(unique=True)
    vet_sealed: Mapped[str | None]

    chip = Sealed(10)
    vet = Sealed()


@pytest.fixture(autouse=True)
def _keys() -> Iterator[None]:
    before = vault.vault()
    vault.unlock(Vault({"k": OLD}))
    yield
    vault.unlock(before)


@pytest.fixture
def session() -> Iterator[Session]:
    engine = sa.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


def test_a_row_reads_and_writes_in_clear_and_keeps_it_sealed(session: Session) -> None:
    session.add(Pet(id="pet_1", chip="123", vet="Dr. Ünal"))
    session.commit()
    pet = session.get_one(Pet, "pet_1")
    assert (pet.chip, pet.vet) == ("123", "Dr. Ünal")
    stored = session.execute(sa.text("SELECT chip_sealed, chip_hash, vet_sealed FROM pets")).one()
    assert stored[0].startswith("k.")
    assert stored[1] == vault.vault().hash("123", column="pets.chip")
    assert "Dr." not in str(stored)
    assert "123" not in stored

    pet.chip = None
    session.commit()
    assert tuple(session.execute(sa.text("SELECT chip_sealed, chip_hash FROM pets")).one()) == (None, None)
    assert pet.chip is None


def test_a_row_is_found_by_value_under_every_key(session: Session) -> None:
    session.add_all([Pet(id="pet_1", chip="123"), Pet(id="pet_3")])
    session.commit()
    vault.unlock(Vault({"n": NEW, "k": OLD}))
    session.add(Pet(id="pet_2", chip="456"))
    session.commit()

    def found(*values: str) -> list[str]:
        return list(session.scalars(sa.select(Pet.id).where(Pet.chip.is_in(*values)).order_by(Pet.id)))

    assert [found("123"), found("456"), found("789"), found("123", "456"), found()] == [
        ["pet_1"],
        ["pet_2"],
        [],
        ["pet_1", "pet_2"],
        [],
    ]


def test_a_statement_that_makes_no_object_stores_the_same(session: Session) -> None:
    session.execute(sa.insert(Pet).values(id="pet_1", **Pet.chip.columns("pet_1", "123")))
    session.execute(sa.insert(Pet).values(id="pet_2", **Pet.chip.columns("pet_2", None)))
    assert [session.get_one(Pet, pet).chip for pet in ("pet_1", "pet_2")] == ["123", None]
    assert session.scalar(sa.select(Pet.id).where(Pet.chip.is_in("123"))) == "pet_1"


def test_what_was_put_into_another_row_or_column_by_hand_does_not_open(session: Session) -> None:
    session.add_all([Pet(id="pet_1", chip="123", vet="456"), Pet(id="pet_2", chip="789")])
    session.commit()
    session.execute(
        sa.text(
            "UPDATE pets SET chip_sealed = (SELECT chip_sealed FROM pets WHERE id = 'pet_1'), "
            "vet_sealed = chip_sealed WHERE id = 'pet_2'"
        )
    )
    session.expire_all()
    moved = session.get_one(Pet, "pet_2")
    for read in (lambda: moved.chip, lambda: moved.vet):
        with pytest.raises(DamagedField):
            read()
    assert session.get_one(Pet, "pet_1").chip == "123"


def test_the_value_cannot_come_before_the_id() -> None:
    with pytest.raises(AssertionError, match="id comes before"):
        Pet(chip="123", id="pet_1")


@pytest.mark.parametrize("value", ["12345678901", "a\0b", "a\ud800b"])
def test_what_a_text_column_would_not_hold_is_not_sealed_either(value: str) -> None:
    pet = Pet(id="pet_1", chip="123")
    with pytest.raises(Invalid) as caught:
        pet.chip = value
    assert value not in str(caught.value)
    assert pet.chip == "123"


def test_text_is_kept_in_one_form() -> None:
    assert Pet(id="pet_1", vet="U\u0308nal").vet == "Ünal"


def test_comparing_a_sealed_field_with_a_value_is_refused() -> None:
    comparisons: list[Any] = [
        lambda: Pet.chip == "123",
        lambda: Pet.chip != "123",
        lambda: sa.select(Pet).where(Pet.chip == "123"),
        lambda: sa.select(Pet.chip),  # pyright: ignore[reportCallIssue, reportArgumentType]
    ]
    for compare in comparisons:
        with pytest.raises((TypeError, ArgumentError)):
            compare()


def test_a_row_in_words_shows_no_value() -> None:
    pet = Pet(id="pet_1", chip="5550123", vet="Dr. Ünal")
    for words in (repr(pet), str(pet), f"{vars(pet)}", repr(vault.vault()), repr(vars(vault.vault()))):
        assert not [secret for secret in ("5550123", "Dr.", OLD) if secret in words]
