"""Makes the times of pushes that schemathesis invents recent ones: whether an old one is refused is not in a schema.

Everything else stays as it was invented. SCHEMATHESIS_HOOKS names this file."""

from datetime import datetime, timedelta, timezone

import schemathesis

EARLIER = [0]


def is_time(value):
    """What a schema calls a date-time."""
    if not isinstance(value, str) or len(value) < 20:
        return False
    try:
        datetime.fromisoformat(value[:10])
    except ValueError:
        return False
    return value[10] in "Tt" and value.isascii()


@schemathesis.hook
def before_call(context, case, kwargs):
    """Each push gets a time of its own, so that it is not taken for one that came before."""
    if isinstance(case.body, dict) and is_time(case.body.get("timestamp")):
        EARLIER[0] += 1
        time = datetime.now(timezone.utc) - timedelta(milliseconds=EARLIER[0])
        case.body = {**case.body, "timestamp": time.isoformat()}
