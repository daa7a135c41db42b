"""A number's life at Meta: connected, watched, disconnected (Meta Cloud API reference, section 11).

Meta knows no logging out: a number that was disconnected here goes on there, and only its webhooks stop.
"""

from dataclasses import replace

from elsehu.plugin import Instance, InstanceReport, InstanceSick, InstanceStatus, PluginContext, Rejected, Retryable

from . import callbacks, refusals
from .client import graph_of
from .errors import LIMITED
from .numbers import ask_number, check_account, heard, report_of

DISCONNECTED = "disconnected"
"""Key of the kept state: a person disconnected the number here."""
BY_HAND = "The number was disconnected by a person here."


async def connect(context: PluginContext, instance: Instance) -> InstanceReport:
    """Check token and ids, and have Meta send the number's webhooks here. Idempotent.

    Raises InstanceSick where token or ids are refused. Where Meta cannot reach our webhook the report says so.
    """
    graph = graph_of(context, instance)
    await refusals.forget(context, instance)
    said = await ask_number(graph, context.cache, instance)
    await check_account(graph, instance)
    await callbacks.subscribe(graph, instance)
    unheard = await callbacks.set_callback(graph, instance, said)
    by_hand = await callbacks.set_app_callback(context, graph, instance, said)
    report = report_of(instance, said if unheard else heard(instance, said), refused=None)
    is_working = report.status is InstanceStatus.CONNECTED
    detail = (unheard or report.detail or by_hand) if is_working else report.detail
    return replace(report, detail=detail, state={DISCONNECTED: None})


async def status(context: PluginContext, instance: Instance) -> InstanceReport:
    """Ask how the number stands. Raises InstanceSick where token or ids are refused.

    Where Meta takes no more questions, that says nothing about sending: the number stays as it was.
    """
    if instance.state.get(DISCONNECTED):
        return InstanceReport(InstanceStatus.DISCONNECTED, BY_HAND)
    try:
        said = await ask_number(graph_of(context, instance), context.cache, instance)
    except Retryable as error:
        if error.code != LIMITED.code:
            raise
        return InstanceReport(instance.status, error.detail)
    return report_of(instance, said, refused=await refusals.recall(context, instance))


async def disconnect(context: PluginContext, instance: Instance, *, forget: bool) -> InstanceReport:
    """Have Meta send nothing more of this number here. Idempotent; a token that is refused is no hindrance.

    The account stays subscribed, also with `forget`: its other numbers may live by that.
    """
    detail = BY_HAND
    try:
        graph = graph_of(context, instance)
        said = await ask_number(graph, context.cache, instance)
        await callbacks.clear_callback(graph, instance, said)
    except (InstanceSick, Rejected) as error:
        detail = f"{BY_HAND} Its webhook at Meta could not be taken away: {error.detail}"
    await refusals.forget(context, instance)
    return InstanceReport(InstanceStatus.DISCONNECTED, detail, state={DISCONNECTED: None if forget else "yes"})
