"""How a stand-in behaves; each field is an argument of ``python -m elsehu_meta_cloud.testing`` too."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Ports 0 are free ones. Times in seconds.

    ``token`` is the access token that is accepted at first. ``statuses`` are those of every message that is taken,
    one after the other, ``status_after`` its answer. Webhooks that are not answered with 200 are repeated after
    ``retry_base``, doubling, ``most_tries`` times in all. ``url_seconds`` is how long a file's address lives.
    ``checks_window`` fails what is no template outside of 24 hours, as Meta does: later, by status.
    """

    host: str = "127.0.0.1"
    port: int = 0
    files_port: int = 0
    token: str = "EAAG-standin-token"  # noqa: S105
    app_id: str = "700000000000001"
    app_secret: str = "elsehu-sample-app-secret"  # noqa: S105
    waba_id: str = "900000000000001"
    number_id: str = "100000000000001"
    phone: str = "12025550100"
    statuses: str = "sent,delivered"
    status_after: float = 0.0
    retry_base: float = 0.1
    most_tries: int = 8
    url_seconds: float = 300.0
    checks_window: bool = False
    oldest_version: int = 20
    newest_version: int = 25
