"""Every background job that there is: the slices' and the plugins'."""

from elsehu.desk.stale.jobs import JOBS as DESK
from elsehu.identity.jobs import JOBS as IDENTITY
from elsehu.instances.jobs import JOBS as INSTANCES
from elsehu.jobs import Job, by_name
from elsehu.media.jobs import JOBS as MEDIA
from elsehu.messaging.jobs import JOBS as MESSAGING
from elsehu.plugins import Plugins
from elsehu.realtime.jobs import JOBS as REALTIME
from elsehu.reporting.jobs import JOBS as REPORTING


def jobs_of(plugins: Plugins) -> dict[str, Job]:
    """Return every job of the kernel and the enabled plugins by name. Raises ConfigError if two have one name."""
    of_plugins = [job for _, job in plugins.registered("register_jobs")]
    return by_name([*IDENTITY, *INSTANCES, *MEDIA, *MESSAGING, *DESK, *REPORTING, *REALTIME, *of_plugins])
