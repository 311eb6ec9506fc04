"""The address of a PostgreSQL database, and which part of it may be shown."""

from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

SCHEMES = ("postgresql://", "postgres://")
EXAMPLE = '"postgresql://user@host:5432/photos"'


def check_address(address: str) -> str:
    """The address as it is; ValueError with what is right where it is none. Empty is right as well."""
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 - raises if it is no number
    except ValueError:
        raise ValueError(f"is not an address; write it as {EXAMPLE}, with % codes for special characters") from None
    if address and (not address.startswith(SCHEMES) or not parts.path.strip("/")):
        raise ValueError(f"is not an address of PostgreSQL; write it as {EXAMPLE}, or leave it empty for SQLite")
    if parse_qs(parts.query).get("password"):
        raise ValueError(f"holds a password at its end; put that into PGPASSWORD, and write {EXAMPLE}")
    return address


def without_password(address: str) -> tuple[str, str]:
    """The address without its password, and the password, empty if there is none."""
    parts = urlsplit(address)
    login, at, host = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    return urlunsplit(parts._replace(netloc=f"{user}{at}{host}")) if password else address, unquote(password)


def server_of(address: str) -> str:
    """Server and database, without user and password: `db.example:5432/photos`."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2] or next(iter(parse_qs(parts.query).get("host", [])), "")
    return f"{host}{parts.path}"
