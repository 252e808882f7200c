"""Error codes that services return although no operation's model has them, with their sources.

A model (botocore's ``service-2.json``) lists the errors that an operation declares.  Throttling,
refused credentials and failures of the service itself are in few of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["documented_status", "documented_statuses", "query_code"]

_COMMON: Final[Mapping[str, int]] = {
    "AccessDeniedException": 403,
    "ExpiredTokenException": 403,
    "IncompleteSignatureException": 403,
    "InternalFailure": 500,
    "InvalidSignatureException": 403,
    "MissingAuthenticationTokenException": 403,
    "NotAuthorized": 401,
    "OptInRequired": 403,
    "RequestExpired": 400,
    "ServiceUnavailable": 503,
    "ServiceUnavailableException": 503,
    "ThrottlingException": 400,
    "UnrecognizedClientException": 403,
    "ValidationException": 400,
}
"""Of services that speak JSON or CBOR.

Source: "Common Errors" in the API references of Systems Manager, Secrets Manager, Step Functions,
EventBridge and Lambda (docs.aws.amazon.com, .../APIReference/CommonErrors.html); the ...Exception
forms of the signature errors from "Error handling with DynamoDB".
"""

_JSON_REFUSALS: Final = 400
"""AWS's JSON protocols answer with 400 where the REST protocols have 401 or 403.

Source: "Common Errors" of Systems Manager and of DynamoDB ("HTTP Status Code: 400"), and of Lambda
(403).
"""

_COMMON_QUERY: Final[Mapping[str, int]] = {
    "AccessDenied": 403,
    "AccessDeniedException": 403,
    "AuthFailure": 401,
    "ExpiredToken": 403,
    "IncompleteSignature": 400,
    "InternalFailure": 500,
    "InvalidAction": 400,
    "InvalidClientTokenId": 403,
    "InvalidParameterCombination": 400,
    "InvalidParameterValue": 400,
    "InvalidQueryParameter": 400,
    "MalformedQueryString": 404,
    "MissingAction": 400,
    "MissingAuthenticationToken": 403,
    "MissingParameter": 400,
    "NotAuthorized": 400,
    "OptInRequired": 403,
    "RequestExpired": 400,
    "ServiceUnavailable": 503,
    "SignatureDoesNotMatch": 403,
    "Throttling": 400,
    "ThrottlingException": 400,
    "UnauthorizedOperation": 403,
    "ValidationError": 400,
}
"""Of services that speak AWS's query protocols or XML, and of SQS.

Source: "Common Errors" in the API references of SQS, SNS, IAM, STS and RDS; "Error codes for the
Amazon EC2 API" for ``AuthFailure`` and ``UnauthorizedOperation``.
"""

_SERVICES: Final[Mapping[str, Mapping[str, int]]] = {
    # Source: "Error handling with DynamoDB", Developer Guide, "Error messages and codes".
    "dynamodb": {
        "AccessDeniedException": 400,
        "IncompleteSignatureException": 400,
        "InternalServerError": 500,
        "LimitExceededException": 400,
        "MissingAuthenticationTokenException": 400,
        "ProvisionedThroughputExceededException": 400,
        "ReplicatedWriteConflictException": 409,
        "RequestLimitExceeded": 400,
        "ResourceNotFoundException": 400,
        "ServiceUnavailable": 503,
        "ThrottlingException": 400,
        "UnrecognizedClientException": 400,
        "ValidationException": 400,
    },
    # Source: "Error responses", Amazon S3 API Reference, "List of error codes".
    "s3": {
        "AccessDenied": 403,
        "AccountProblem": 403,
        "AllAccessDisabled": 403,
        "AuthorizationHeaderMalformed": 400,
        "BadDigest": 400,
        "BucketAlreadyExists": 409,
        "BucketAlreadyOwnedByYou": 409,
        "BucketNotEmpty": 409,
        "ConditionalRequestConflict": 409,
        "EntityTooLarge": 400,
        "EntityTooSmall": 400,
        "ExpiredToken": 400,
        "IncompleteBody": 400,
        "InternalError": 500,
        "InvalidAccessKeyId": 403,
        "InvalidArgument": 400,
        "InvalidBucketName": 400,
        "InvalidBucketState": 409,
        "InvalidDigest": 400,
        "InvalidObjectState": 403,
        "InvalidPart": 400,
        "InvalidPartOrder": 400,
        "InvalidRange": 416,
        "InvalidRequest": 400,
        "InvalidSecurity": 403,
        "InvalidToken": 400,
        "KeyTooLongError": 400,
        "MalformedXML": 400,
        "MethodNotAllowed": 405,
        "MissingContentLength": 411,
        "NoSuchBucket": 404,
        "NoSuchBucketPolicy": 404,
        "NoSuchKey": 404,
        "NoSuchLifecycleConfiguration": 404,
        "NoSuchUpload": 404,
        "NoSuchVersion": 404,
        "NotImplemented": 501,
        "OperationAborted": 409,
        "PreconditionFailed": 412,
        "RequestTimeTooSkewed": 403,
        "RequestTimeout": 400,
        "ServiceUnavailable": 503,
        "SignatureDoesNotMatch": 403,
        "SlowDown": 503,
    },
    # Source: "Error codes for the Amazon EC2 API", EC2 API Reference.
    "ec2": {
        "InternalError": 500,
        "RequestLimitExceeded": 503,
        "Unavailable": 503,
    },
    # Source: botocore/data/_retry.json, "idp_unreachable_error".
    "sts": {"IDPCommunicationError": 400},
    # Source: the trait smithy.api#httpError in AWS's Smithy model of SQS.
    "sqs": {
        "InvalidAddress": 404,
        "InvalidSecurity": 403,
        "KmsOptInRequired": 403,
        "OverLimit": 403,
        "PurgeQueueInProgress": 403,
        "QueueNameExists": 400,
        "ReceiptHandleIsInvalid": 404,
        "RequestThrottled": 403,
        "ResourceNotFoundException": 404,
    },
}

_RETRYABLE: Final[Mapping[str, int]] = {
    "BandwidthLimitExceeded": 509,
    "EC2ThrottledException": 503,
    "LimitExceededException": 400,
    "PriorRequestNotComplete": 400,
    "ProvisionedThroughputExceededException": 400,
    "RequestLimitExceeded": 503,
    "RequestThrottled": 403,
    "RequestThrottledException": 400,
    "RequestTimeout": 400,
    "RequestTimeoutException": 408,
    "SlowDown": 503,
    "ThrottledException": 400,
    "Throttling": 400,
    "ThrottlingException": 400,
    "TooManyRequestsException": 429,
    "TransactionInProgressException": 400,
}
"""Codes that botocore tries again.

Source: ``_TRANSIENT_ERROR_CODES`` and ``_THROTTLED_ERROR_CODES`` in botocore/retries/standard.py;
the statuses from botocore/data/_retry.json, where it has them.
"""


_SQS: Final = "AWS.SimpleQueueService."
_QUERY_CODES: Final[Mapping[str, Mapping[str, str]]] = {
    "sqs": {
        "BatchEntryIdsNotDistinct": f"{_SQS}BatchEntryIdsNotDistinct",
        "BatchRequestTooLong": f"{_SQS}BatchRequestTooLong",
        "EmptyBatchRequest": f"{_SQS}EmptyBatchRequest",
        "InvalidBatchEntryId": f"{_SQS}InvalidBatchEntryId",
        "KmsAccessDenied": "KMS.AccessDeniedException",
        "KmsDisabled": "KMS.DisabledException",
        "KmsInvalidKeyUsage": "KMS.InvalidKeyUsageException",
        "KmsInvalidState": "KMS.InvalidStateException",
        "KmsNotFound": "KMS.NotFoundException",
        "KmsOptInRequired": "KMS.OptInRequired",
        "KmsThrottled": "KMS.ThrottlingException",
        "MessageNotInflight": f"{_SQS}MessageNotInflight",
        "PurgeQueueInProgress": f"{_SQS}PurgeQueueInProgress",
        "QueueDeletedRecently": f"{_SQS}QueueDeletedRecently",
        "QueueDoesNotExist": f"{_SQS}NonExistentQueue",
        "QueueNameExists": "QueueAlreadyExists",
        "TooManyEntriesInBatchRequest": f"{_SQS}TooManyEntriesInBatchRequest",
        "UnsupportedOperation": f"{_SQS}UnsupportedOperation",
    }
}
"""The codes that a service has kept from the query protocol, by the names of its errors.

Source: the trait ``aws.protocols#awsQueryError`` in AWS's Smithy model of SQS; botocore's models
have lost it, while the service sends them (header ``x-amzn-query-error``).
"""


def query_code(service: str, name: str, code: str) -> str:
    """Return the code of a modelled error on the wire; by default its ``code`` in the model."""
    return _QUERY_CODES.get(service, {}).get(name, code)


def documented_statuses(service: str, protocol: str, *, speaks_query: bool) -> dict[str, int]:
    """Return the codes that a service may return besides those of its model, with their statuses.

    ``speaks_query`` is true of a service that has left the query protocol and kept its codes (SQS).
    """
    is_json = protocol == "json"
    common = {
        code: _JSON_REFUSALS if is_json and status in (401, 403) else status
        for code, status in _COMMON.items()
    }
    found = dict(_RETRYABLE)
    if speaks_query or protocol in ("query", "ec2", "rest-xml"):
        found.update(_COMMON_QUERY)
    if protocol in ("json", "rest-json", "smithy-rpc-v2-cbor"):
        found.update(common)
    found.update(_SERVICES.get(service, {}))
    return found


def documented_status(
    code: str, service: str, protocol: str, *, speaks_query: bool = False
) -> int | None:
    """Return the HTTP status of a documented code; None if there is no such code."""
    return documented_statuses(service, protocol, speaks_query=speaks_query).get(code)
