"""The URL of a PostgreSQL ledger, and its name in messages, which never has the password."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from gateway.errors import LedgerUnavailable

SCHEMES = ("postgresql://", "postgres://")
EXAMPLE = "postgresql://user:password@host:5432/database"


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """A database. `name` is for people; `secrets` are what messages must not contain."""

    url: str = field(repr=False)
    name: str
    database: str
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def parse(cls, url: str) -> PostgresAddress:
        """Raises LedgerUnavailable for a URL that cannot be read; the message does not quote it."""
        try:
            parts = urlsplit(url)
            port = parts.port
            query = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        except ValueError:
            raise LedgerUnavailable(
                f"GATEWAY_DB is no PostgreSQL URL: write it as {EXAMPLE}, with %40 for @, %3A for : and %2F for / in the password."
            ) from None
        # A host may be a folder with a socket: `?host=/run/postgresql`.
        host = query.get("host") or parts.hostname or "localhost"
        database = unquote(parts.path.lstrip("/")) or query.get("dbname") or parts.username or "postgres"
        user = f"{unquote(parts.username)}@" if parts.username else ""
        passwords = [parts.password, parts.password and unquote(parts.password), query.get("password")]
        return cls(
            url=url,
            name=f"postgresql://{user}{host}{f':{port}' if port else ''}/{database}",
            database=database,
            secrets=tuple({password for password in passwords if password}),
        )

    def redacted(self, text: str) -> str:
        """The text without the password."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def is_postgres(db: object) -> bool:
    """Whether a ledger's address names a PostgreSQL database, not a file."""
    return isinstance(db, str) and db.startswith(SCHEMES)
