"""What a stand-in can be told when it starts."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Options:
    """Settings of one stand-in.

    Waits are in seconds. Those of the real server that would only slow tests down default to zero; the
    real value stands beside each. The delivery policy of webhooks defaults to the documented one, so a test
    about retries sets ``retry_base`` to a few hundredths of a second.
    """

    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free port; it is then kept when the server stops and starts again."""
    version: str = "2.3.7"
    global_key: str = "evo-key"
    expose_apikey: bool = True
    """False puts null into the webhooks' ``apikey``, as operators may choose."""
    utc_offset_hours: float = -3.0
    """Of the wall clock that ``date_time`` shows, always with a false Z."""

    retry_base: float = 5.0
    retry_attempts: int = 10
    retry_longest: float = 300.0
    webhook_timeout: float = 30.0

    create_wait: float = 0.0
    """Of ``instance/create`` with ``qrcode: true`` (really 5)."""
    connect_wait: float = 0.0
    """Of ``instance/connect`` on a closed instance (really 2)."""
    reconnect_wait: float = 0.05
    """Between connecting and open, after a scan or a restart (really some tenths of a second)."""
    media_wait: float = 0.0
    """Before a download of lost media is given up (really 5)."""
    half_made: float = 1.0
    """How long a failed creation still answers ``connectionState`` without a state."""
    qr_rotation: float = 45.0
    qr_limit: int = 30

    deliver_after: float | None = None
    """Seconds after which a sent message gets DELIVERY_ACK by itself (SERVER_ACK at once); None: never."""
    read_after: float | None = None
    """Seconds after which it gets READ as well; needs ``deliver_after``."""

    seed: int = 0
    """Of the chances of faults and the jitter of retries; identifiers never repeat."""
    log_limit: int = 100_000
    """How many requests and webhooks are remembered; the phone forgets nothing."""
