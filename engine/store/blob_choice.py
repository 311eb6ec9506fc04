"""Which kind of place the settings choose for blobs."""

from pathlib import Path

from engine.secrets import Secrets
from engine.store.blobs import Blobs
from engine.store.folder_blobs import FolderBlobs

S3 = "s3://"


def blobs_at(address: str, data_dir: Path, secrets: Secrets) -> Blobs:
    """The blobs at `s3://bucket/prefix`; in `data_dir` where no address is given. Raises SettingsError."""
    if not address:
        return FolderBlobs(data_dir / "blobs")
    # Who keeps files in a folder need not wait for another client to be loaded.
    from engine.store.s3_blobs import S3Blobs

    return S3Blobs(address, data_dir / "copies", access=_access(secrets))


def _access(secrets: Secrets) -> dict[str, str]:
    given = {
        "access_key_id": secrets.aws_access_key_id,
        "secret_access_key": secrets.aws_secret_access_key,
        "session_token": secrets.aws_session_token,
    }
    return {name: value for name, secret in given.items() if (value := secret.get_secret_value())}
