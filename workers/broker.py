"""The address of Redis, in the form that Celery's transport reads."""

from urllib.parse import parse_qs, quote, urlencode, urlsplit

from graph.errors import SettingMissing

_SCHEMES = ("redis", "rediss", "unix", "sentinel")


def broker_url(redis_url: str | None) -> str:
    """The same Redis as `redis_url`, which is in the form of redis-py.

    Raises SettingMissing when there is none or when it is no address of a Redis. The message does
    not hold the address, which may hold a password.
    """
    if not redis_url:
        raise SettingMissing("REDIS_URL is not set.")
    parts = urlsplit(redis_url)
    if parts.scheme not in _SCHEMES:
        raise SettingMissing("REDIS_URL must begin with redis://, rediss:// or unix://.")
    query = parse_qs(parts.query)
    if parts.scheme == "unix":
        # redis-py: unix://[user:password@]/path?db=0
        account = parts.netloc.rpartition("@")[0]
        database = query.get("db", ["0"])[0]
        path = quote(parts.path, safe="/")
        return f"redis+socket://{account}{'@' if account else ''}{path}?virtual_host={database}"
    if parts.scheme == "rediss" and "ssl_cert_reqs" not in query:
        # kombu switches TLS on by this parameter alone.
        query["ssl_cert_reqs"] = ["required"]
        return parts._replace(query=urlencode(query, doseq=True)).geturl()
    return redis_url
