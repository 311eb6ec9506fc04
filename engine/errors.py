"""Every error that LightWork raises on purpose.

* LightWorkError
  x SettingsError          a settings file, key or secret is wrong
  x PhotoError             a picture that cannot be edited
    - PhotoRejected        it never will be: wrong kind, too large, damaged
    - PhotoIncomplete      its end is missing: perhaps it is still being written
  x PlaceError             a folder, disk, share or chat that cannot be used just now
  x StoreError             the database
    - SchemaTooNew         written by a newer LightWork
  x BackupError            a backup that cannot be made, or cannot be restored
  x NotFound               no job, image, module or model of that name

The text of each is a sentence for people: what happened, to which file or key, and what to do about it.
What an image service answers is not an error but an outcome, see `engine.provider`.
"""

from datetime import timedelta


class LightWorkError(Exception):
    """Base of all errors that are meant to be read by people."""


class SettingsError(LightWorkError):
    """A settings file, key or secret is wrong."""


class PhotoError(LightWorkError):
    """A picture that cannot be edited.

    `code` is a stable word for programs, `reason` says what is wrong, `advice` what to do.
    """

    def __init__(self, code: str, reason: str, advice: str) -> None:
        super().__init__(code, reason, advice)
        self.code = code
        self.reason = reason
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.reason} {self.advice}"


class PhotoRejected(PhotoError):
    """The picture is of the wrong kind, too large or damaged; trying again does not help."""


class PhotoIncomplete(PhotoError):
    """The end of the picture is missing; it may still be on its way."""


class PlaceError(LightWorkError):
    """A folder, disk, share or chat cannot be used just now; the work waits until it can.

    `wait` says how long until it is worth trying again, where that is known.
    """

    wait: timedelta | None = None


class StoreError(LightWorkError):
    """The database cannot be used."""


class SchemaTooNew(StoreError):
    """The database was written by a newer LightWork."""


class BackupError(LightWorkError):
    """A backup cannot be made, or cannot be restored."""


class NotFound(LightWorkError):
    """There is no job, image, module or model of that name."""
