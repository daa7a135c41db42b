"""What a process counts while it works. Where nobody asks for metrics, nothing is counted and nothing is imported."""

LATENCIES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Metrics:
    """What may be counted, each as often as it happens. This one forgets it at once."""

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """An HTTP request was answered. `route` is a template (`/api/users/{id}`), never a path."""

    def webhook(self, provider: str, outcome: str, seconds: float) -> None:
        """A webhook was `committed`, `refused` (no proof that the provider sent it) or is `unavailable` (503)."""

    def items(self, provider: str, kind: str, count: int) -> None:
        """Events of a kind (`MessageArrived`, `Broken`, …) were committed."""

    def sent(self, provider: str, outcome: str, code: str, seconds: float) -> None:
        """A send ended: the message's status (`sent`, `failed`, …) and, where it was not sent, the error's code."""

    def delivered(self, count: int, lag: float) -> None:
        """Events went out to sockets, the oldest of them `lag` seconds after it had happened."""

    def plugin_failed(self, plugin: str, hook: str) -> None:
        """A plugin's notification raised or took too long."""


class PrometheusMetrics(Metrics):
    """Keeps the figures of this process for Prometheus."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

        def histogram(name: str, text: str, *labels: str) -> Histogram:
            return Histogram(f"elsehu_{name}", text, labels, registry=self.registry, buckets=LATENCIES)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"elsehu_{name}", text, labels, registry=self.registry)

        self._requests = histogram("http_request_seconds", "HTTP requests answered.", "method", "route", "status")
        self._webhooks = histogram("webhook_seconds", "Webhooks answered.", "provider", "outcome")
        self._items = counter("webhook_events", "What webhooks told, by kind.", "provider", "kind")
        self._sends = counter("sends", "Attempts to send a message, by outcome.", "provider", "outcome", "code")
        self._send_seconds = histogram("send_seconds", "How long providers took to answer a send.", "provider")
        self._events = counter("socket_events", "Events read from the outbox for sockets.")
        self._lag = histogram("event_lag_seconds", "From what happened to its delivery to sockets.")
        self._plugin_failures = counter("plugin_failures", "Notifications that failed.", "plugin", "hook")
        self.sockets = Gauge("elsehu_sockets", "Open sockets.", registry=self.registry)
        self.connections = Gauge(
            "elsehu_database_connections", "Connections of this process's pool.", ["state"], registry=self.registry
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count and time it."""
        self._requests.labels(method, route, str(status)).observe(seconds)

    def webhook(self, provider: str, outcome: str, seconds: float) -> None:
        """Count and time it."""
        self._webhooks.labels(provider, outcome).observe(seconds)

    def items(self, provider: str, kind: str, count: int) -> None:
        """Count them."""
        self._items.labels(provider, kind).inc(count)

    def sent(self, provider: str, outcome: str, code: str, seconds: float) -> None:
        """Count it by its outcome, time it by its provider."""
        self._sends.labels(provider, outcome, code).inc()
        self._send_seconds.labels(provider).observe(seconds)

    def delivered(self, count: int, lag: float) -> None:
        """Count them, and how late they were."""
        self._events.inc(count)
        self._lag.observe(lag)

    def plugin_failed(self, plugin: str, hook: str) -> None:
        """Count it."""
        self._plugin_failures.labels(plugin, hook).inc()


def metrics_of(*, wanted: bool) -> Metrics:
    """Return what counts, if that is wanted (`[server] metrics`)."""
    return PrometheusMetrics() if wanted else Metrics()
