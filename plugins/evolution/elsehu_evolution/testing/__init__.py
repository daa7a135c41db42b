"""A stand-in for an Evolution API server: real HTTP, real webhooks, and everything can go wrong on demand.

    with running_standin(retry_base=0.05) as evolution:
        token = evolution.add_instance("wa", webhook={"url": "http://127.0.0.1:8000/hook"})
        maria = evolution.customer(phone="5511988887777")
        maria.says("Oi, bom dia!")
        evolution.faults.accept_and_hang("POST /message/sendText/*")
        ...
        assert [arrived.text for arrived in maria.received] == ["Olá!"]

It needs nothing of Elsehu, so a plugin for another gateway, or a benchmark, can use it as well.
"""

from .customers import Customer, Owner
from .fault_control import FaultControl
from .faults import Fault
from .handle import Standin
from .options import Options
from .receiver import Received, WebhookReceiver, webhook_receiver
from .records import Delivered, RequestRecord, WebhookRecord
from .standin import EvolutionStandin, RemoteStandin, running_standin, standin_process

__all__ = [
    "Customer",
    "Delivered",
    "EvolutionStandin",
    "Fault",
    "FaultControl",
    "Options",
    "Owner",
    "Received",
    "RemoteStandin",
    "RequestRecord",
    "Standin",
    "WebhookReceiver",
    "WebhookRecord",
    "running_standin",
    "standin_process",
    "webhook_receiver",
]
