"""The application codes of OpenADR, carried in ``responseCode`` (section 8.7 of the profile)."""

from enum import IntEnum


class ResponseCode(IntEnum):
    """The codes that have a meaning of their own.

    A receiver takes any 2xx as success, and any 4xx and 5xx as failure.
    """

    OK = 200
    OUT_OF_SEQUENCE = 450
    NOT_ALLOWED = 451
    INVALID_ID = 452
    NOT_RECOGNIZED = 453
    INVALID_DATA = 454
    COMPLIANCE_ERROR = 459
    SIGNAL_NOT_SUPPORTED = 460
    REPORT_NOT_SUPPORTED = 461
    TARGET_MISMATCH = 462
    NOT_REGISTERED_OR_AUTHORIZED = 463
    DEPLOYMENT_ERROR = 469
    RESPONDER_ERROR = 500


def is_success(code: int) -> bool:
    """Tell whether a code means success."""
    return 200 <= code < 300
