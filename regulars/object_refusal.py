"""What an object store's refusal means, in our words and with the exit code that fits."""

from __future__ import annotations

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)
from botocore.exceptions import ConnectionError as NoConnection

from regulars.errors import ConfigurationError, RegularsError, TryAgain
from regulars.object_place import ObjectPlace

WRONG_KEY = "the store does not know the access key, or the secret does not belong to it: correct the key"
WRONG_REGION = "the bucket stands in another region: set `region`"
MEANINGS = {
    "NoSuchBucket": "there is no such bucket: correct the name, or create the bucket",
    "InvalidBucketName": "the store takes no bucket of that name: correct it",
    "AccessDenied": "the key may not do this: allow it in the policy of the key or of the bucket",
    "403": "the key may not do this: allow it in the policy of the key or of the bucket",
    "AllAccessDisabled": "the bucket has been locked by its owner",
    "InvalidAccessKeyId": WRONG_KEY,
    "SignatureDoesNotMatch": WRONG_KEY,
    "InvalidToken": WRONG_KEY,
    "ExpiredToken": "the temporary key has expired: give a new one",
    "RequestTimeTooSkewed": "the clock of this machine differs from the store's by more than 15 minutes: set it right",
    "RequestExpired": "the clock of this machine differs from the store's by more than 15 minutes: set it right",
    "PermanentRedirect": WRONG_REGION,
    "301": WRONG_REGION,
    "AuthorizationHeaderMalformed": WRONG_REGION,
    "IllegalLocationConstraintException": WRONG_REGION,
    "NotImplemented": "the store does not know this request: use one that honours If-None-Match and If-Match on writes",
    "InvalidObjectState": "the object lies in an archive: have it restored first",
    "KMS.DisabledException": "the key that encrypts the bucket is switched off",
    "KMS.NotFoundException": "there is no such key to encrypt with: correct `kms_key_id`",
}
PASSING = ("SlowDown", "Throttling", "ThrottlingException", "RequestTimeout", "RequestLimitExceeded", "InternalError", "ServiceUnavailable")

NO_ANSWER = (NoConnection, HTTPClientError, IncompleteReadError)
"""What boto3 raises when the store cannot be reached, or stops in the middle of an answer."""


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def in_our_words(error: BotoCoreError | ClientError, place: ObjectPlace, doing: str) -> RegularsError:
    """The error to raise instead.

    Args:
        doing: what could not be done, as a participle: `listed`, or `read, NAME`.
    """
    problem = f"{place} could not be {doing}"
    if isinstance(error, ClientError):
        code, status = code_of(error), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in MEANINGS:
            return ConfigurationError(f"{problem} ({code}): {MEANINGS[code]}")
        if code in PASSING or status == 429 or status >= 500:
            return TryAgain(f"{problem}: the store is busy or down (HTTP {status}); try again later")
        shown = code if code.isalnum() else "no known code"
        return RegularsError(f"{problem}: the store answered HTTP {status} ({shown})")
    if isinstance(error, NoCredentialsError | PartialCredentialsError | ProfileNotFound):
        return ConfigurationError(
            f"{problem}: there is no whole key; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or in Airflow name a "
            "`connection` whose login is the key's id and whose password is the key"
        )
    if isinstance(error, NO_ANSWER):
        return TryAgain(f"{problem}: the store does not answer ({type(error).__name__}); look at `endpoint_url` and the network, try again")
    return ConfigurationError(f"{problem} ({type(error).__name__}): look at `endpoint_url`, `region` and the AWS_ variables")
