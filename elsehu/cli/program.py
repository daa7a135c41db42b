"""What every command is given to work with: the settings, the plugins, and a kernel to run something on."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import click

from elsehu.cli.texts import _
from elsehu.first_start import FirstStart, check_migrated, ensure_migrated
from elsehu.plugins import Plugins, load_plugins
from elsehu.settings import Settings

if TYPE_CHECKING:
    from elsehu.kernel import Kernel

Answer = TypeVar("Answer")


def say(text: str) -> None:
    """Tell on standard error how things go; standard output is for what was asked for."""
    click.echo(text, err=True)


def imported() -> None:
    """Collect garbage from now on (`main` put it off), and never again look at what came with the imports."""
    gc.freeze()
    gc.enable()


def about_admin(first: FirstStart) -> str:
    """Return how the first ADMIN logs in."""
    if first.password is None:
        return _("The first ADMIN is {}, with the password that you set.").format(first.email)
    text = _("The first ADMIN is {email} with the password {password}, which is shown only now.")
    return text.format(email=first.email, password=first.password)


class Program:
    """The `elsehu` program as its commands see it: `ctx.obj`. All of it comes into being when it is first needed."""

    @cached_property
    def settings(self) -> Settings:
        """The installation's settings. Raises ConfigError."""
        from elsehu.configuration import load_settings

        return load_settings()

    @cached_property
    def plugins(self) -> Plugins:
        """The enabled plugins. Raises ConfigError."""
        return load_plugins(self.settings)

    def run(self, work: Callable[["Kernel"], Awaitable[Answer]]) -> Answer:
        """Open a kernel, run `work` on it, close it; return its answer.

        Where the settings name no services, those of a running `elsehu serve` are used, else the bundled ones
        run meanwhile. Raises ConfigError, EmbeddedError, one of `db.CONNECTION_LOST`, and what `work` raises.
        """
        from elsehu.kernel import open_kernel
        from elsehu.services import connected, has_urls

        with connected(self.settings, say) as settings:

            async def opened() -> Answer:
                if has_urls(self.settings):
                    await check_migrated(settings, self.plugins)
                else:
                    await ensure_migrated(settings, self.plugins, say)
                imported()
                async with open_kernel(settings, self.plugins) as kernel:
                    return await work(kernel)

            return asyncio.run(opened())
