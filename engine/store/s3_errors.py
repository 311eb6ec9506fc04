"""What a bucket's refusals mean, in sentences for people. Pure.

Only a code and a status are taken over from what the service wrote: its text can repeat keys and tokens.
"""

import re

from engine.store.blobs import Away

_CODE = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
# Where the client looks for the role of an Amazon machine if it was given no key.
_METADATA_SERVICE = ("169.254.169.254", "fd00:ec2::254")

NO_BUCKET = "NoSuchBucket"
_SAYINGS = {
    NO_BUCKET: "There is no such bucket. Make it, or correct engine.blobs in the settings.",
    "InvalidAccessKeyId": "The access key is unknown there. Correct AWS_ACCESS_KEY_ID.",
    "InvalidClientTokenId": "The access key is unknown there. Correct AWS_ACCESS_KEY_ID.",
    "SignatureDoesNotMatch": "The secret key is not that of the access key. Correct AWS_SECRET_ACCESS_KEY.",
    "AccessDenied": "Access is denied. Give the key the rights that docs/storage.md lists.",
    "ExpiredToken": "The session token has expired. Set AWS_SESSION_TOKEN anew.",
    "InvalidToken": "The session token is not valid. Correct AWS_SESSION_TOKEN.",
    "RequestTimeTooSkewed": "This computer's clock is wrong. Set it right.",
    "AuthorizationHeaderMalformed": "The region is wrong. Set AWS_REGION to that of the bucket.",
    "PermanentRedirect": "The bucket is elsewhere. Set AWS_REGION to its region, or correct AWS_ENDPOINT_URL.",
    "IllegalLocationConstraintException": "The region is wrong. Set AWS_REGION to that of the bucket.",
}
_STATUS_SAYINGS = {
    301: _SAYINGS["PermanentRedirect"],
    401: "The key is refused. Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    403: _SAYINGS["AccessDenied"],
}
_PASSING = frozenset({408, 409, 425, 429})
_PASSING_CODES = frozenset({"RequestTimeout", "SlowDown", "OperationAborted", "BadDigest", "IncompleteBody"})
_NO_KEY = "There is no key. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."


def raise_unless_absent(error: FileNotFoundError) -> None:
    """Raise the error again if it is not the blob that is not there, but its bucket."""
    if _code(str(error)) == NO_BUCKET:
        raise error


def away_of(error: Exception, place: str) -> Away:
    """The sentence for what went wrong at `place`."""
    text = str(error)
    code, status = _code(text), _status(text)
    if any(address in text for address in _METADATA_SERVICE):
        return Away(f"{place} cannot be used. {_NO_KEY}", lasting=True)
    if said := _SAYINGS.get(code) or _STATUS_SAYINGS.get(status):
        return Away(f"{place} cannot be used. {said}", lasting=True)
    if 400 <= status < 500 and status not in _PASSING and code not in _PASSING_CODES:
        why = f"The service refuses what it is asked for ({_told(code, status)})."
        return Away(f"{place} cannot be used. {why} Check AWS_ENDPOINT_URL and AWS_REGION.", lasting=True)
    why = _told(code, status) or _said_by_client(text)
    return Away(f"{place} cannot be used just now ({why}); pictures wait.")


def _said_by_client(text: str) -> str:
    sentence = text.partition("\n")[0].removeprefix("Generic S3 error: ")
    return "no connection, or no answer in time" if "HTTP error" in sentence else sentence


def _told(code: str, status: int) -> str:
    return " ".join(filter(None, (str(status) if status else "", code)))


def _code(text: str) -> str:
    found = _CODE.search(text)
    return found[1] if found else ""


def _status(text: str) -> int:
    found = _STATUS.search(text)
    return int(found[1]) if found else 0
