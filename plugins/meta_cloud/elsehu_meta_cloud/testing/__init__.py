"""A stand-in for Meta's Graph API: real HTTP, signed webhooks, and everything can go wrong on demand.

    with running_standin() as meta:
        meta.call("set_callback", url="http://127.0.0.1:8000/hook")
        maria = meta.customer("5511988887777")
        maria.says("Oi, bom dia!")
        meta.refuse(131056, times=2)
        ...
        assert maria.texts == ["Olá!"]

It needs nothing of Elsehu, so other programs can use it as well.
"""

from .customers import Customer
from .faults import Fault
from .handle import Standin
from .options import Options
from .standin import MetaStandin, RemoteStandin, running_standin, standin_process
from .webhooks import meta_json, sign
from .world import Delivered, RequestRecord, WebhookRecord

__all__ = [
    "Customer",
    "Delivered",
    "Fault",
    "MetaStandin",
    "Options",
    "RemoteStandin",
    "RequestRecord",
    "Standin",
    "WebhookRecord",
    "meta_json",
    "running_standin",
    "sign",
    "standin_process",
]
