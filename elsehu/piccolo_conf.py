"""What Piccolo's migrations need: the engine, and the apps of the kernel and the enabled plugins.

Imported only at the edges (`elsehu migrate`, the migration tests): making the engine asks the server for its
version. It reads `DATABASE_URL` from the environment, where `elsehu migrate` puts it.
"""

import os

from piccolo.conf.apps import AppRegistry
from piccolo.engine.postgres import PostgresEngine

from elsehu.schema import KERNEL_APPS

DB = PostgresEngine(config={"dsn": os.environ["DATABASE_URL"]}, extensions=())
APP_REGISTRY = AppRegistry(apps=[*KERNEL_APPS, *os.environ.get("ELSEHU_PLUGIN_APPS", "").split()])
