"""Why sending was refused for the whole number, remembered for a while.

Meta shows some of these reasons only when something is sent: without this a number that may not send would be found
well at every look, and try its whole queue again and again.
"""

import hashlib

from elsehu.plugin import Instance, InstanceSick, PluginContext

from .failures import is_about_token

SECONDS = 600


async def remember(context: PluginContext, instance: Instance, error: InstanceSick) -> None:
    """Remember a refusal, but for a bad token: that shows at every look, and is over when it is replaced."""
    if not is_about_token(error):
        await context.cache.put(_key(instance), error.detail, SECONDS)


async def recall(context: PluginContext, instance: Instance) -> str | None:
    """Return why sending was refused some minutes ago, or None."""
    return await context.cache.get(_key(instance))


async def forget(context: PluginContext, instance: Instance) -> None:
    """Have it tried again."""
    await context.cache.drop(_key(instance))


def _key(instance: Instance) -> str:
    """Return where it is kept: for this token, so that who still sends with an old one does not speak of the new."""
    token = str(instance.credentials["access_token"])
    return f"refused:{instance.id}:{hashlib.sha256(token.encode()).hexdigest()[:16]}"
