"""What Piccolo's migrations need: the engine, and the apps of the kernel and the enabled plugins.

Imported only at the edges (`elsehu migrate`, the migration tests): making the engine asks the server for its
version. It reads `DATABASE_URL` from the environment, where `elsehu migrate` puts it.
"""

import os

from piccolo.conf.apps import AppRegistry
from piccolo.engine.postgres import PostgresEngine

KERNEL_APPS = [
    "elsehu.http.piccolo_app",
    "elsehu.events.piccolo_app",
    "elsehu.identity.piccolo_app",
    "elsehu.instances.piccolo_app",
    "elsehu.media.piccolo_app",
    "elsehu.messaging.piccolo_app",
    "elsehu.desk.piccolo_app",
]

DB = PostgresEngine(config={"dsn": os.environ["DATABASE_URL"]}, extensions=())
APP_REGISTRY = AppRegistry(apps=KERNEL_APPS + os.environ.get("ELSEHU_PLUGIN_APPS", "").split())
