"""A model field for text that is encrypted at rest."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.query_utils import DeferredAttribute

from integrations.errors import SecretUnreadable
from integrations.jira.secret import Secret

BOUND = b"\0"
"""The first byte of a plain text that names its row. API tokens never contain it."""


class Ciphertext(str):
    """Encrypted text, as the database stores it."""

    __slots__ = ()


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def _cipher() -> MultiFernet:
    """The first key of FIELD_ENCRYPTION_KEYS encrypts; every key decrypts."""
    return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS))


class _Decrypted(DeferredAttribute):
    """Decrypts when the attribute is read: only then is the whole row known."""

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        if instance is None:
            return self
        field = cast(EncryptedTextField, self.field)
        stored = field.get_stored(instance)
        return (
            field.decrypt(stored, instance)
            if isinstance(stored, Ciphertext)
            else stored
        )

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """Text in Python, a Fernet token in the database. It cannot be searched.

    The token also holds the values of the fields that `bound_to` names. In a row with
    other values it cannot be read, so whoever can write to the database cannot move a
    secret to another row. Tokens of older versions are not bound; `rotate_keys` binds
    them.

    Reading raises SecretUnreadable if no key in FIELD_ENCRYPTION_KEYS decrypts the
    token, or if it belongs to another row. `dumpdata` writes an empty string, so that
    no secret gets into a dump.
    """

    descriptor_class = _Decrypted

    def __init__(self, *args: Any, bound_to: Sequence[str] = (), **options: Any):
        self.bound_to = bound_to  # not an option of the column, so migrations ignore it
        super().__init__(*args, **options)

    def get_stored(self, instance: models.Model) -> Any:
        """Return the instance's value: encrypted, or plain text that was set since."""
        values = instance.__dict__
        if self.attname not in values:  # deferred
            rows = type(instance)._base_manager.using(instance._state.db)
            row = rows.filter(pk=instance.pk).values_list(self.attname, flat=True)
            values[self.attname] = row.get()
        return values[self.attname]

    def encrypt(self, text: str, instance: models.Model) -> Ciphertext:
        """Encrypt the text with the newest key, for this row only."""
        payload = json.dumps([*self._binding(instance), text]).encode()
        return Ciphertext(_cipher().encrypt(BOUND + payload).decode("ascii"))

    def decrypt(self, stored: Ciphertext, instance: models.Model) -> Secret:
        """Return the plain text. Raises SecretUnreadable."""
        try:
            text = self._unpack(_cipher().decrypt(stored), instance)
        except InvalidToken as exc:
            raise SecretUnreadable from exc
        if text is None:
            raise SecretUnreadable
        return text

    def is_current(self, stored: Ciphertext, instance: models.Model) -> bool:
        """Whether the newest key encrypted it for this row."""
        try:
            plain = Fernet(settings.FIELD_ENCRYPTION_KEYS[0]).decrypt(stored)
        except InvalidToken:
            return False
        return plain.startswith(BOUND) and self._unpack(plain, instance) is not None

    def _unpack(self, plain: bytes, instance: models.Model) -> Secret | None:
        """Return the text, or None if it belongs to another row.

        It does not raise: error reports would show the plain text of its variables.
        """
        if not plain.startswith(BOUND):
            return Secret(plain.decode())
        *binding, text = json.loads(plain.removeprefix(BOUND))
        return Secret(text) if binding == self._binding(instance) else None

    def _binding(self, instance: models.Model) -> list[str]:
        return [
            str(instance._meta.get_field(name).to_python(getattr(instance, name)))  # type: ignore[union-attr]
            for name in self.bound_to
        ]

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = self.get_stored(model_instance)
        if isinstance(value, Ciphertext) or not value:
            return value
        return self.encrypt(value, model_instance)

    def get_prep_value(self, value: Any) -> Any:
        if value and not isinstance(value, Ciphertext):
            raise TypeError("Encrypted text is bound to its row: save the instance.")
        return super().get_prep_value(value)

    def from_db_value(
        self, value: str | None, expression: Any, connection: BaseDatabaseWrapper
    ) -> str | None:
        return value and Ciphertext(value)

    def get_lookup(self, lookup_name: str) -> None:
        return None

    def value_to_string(self, obj: models.Model) -> str:
        return ""
