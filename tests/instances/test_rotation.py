"""Changing the secret key."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from elsehu.instances.directory import Directory
from elsehu.instances.rotation import rotate_credentials
from elsehu.instances.sealing import seal
from elsehu.kernel import Kernel
from elsehu.secretbox import SecretBox

Add = Callable[..., Any]
NEW_KEY = "the-new-key"


@pytest.fixture
def with_both_keys(kernel: Kernel) -> Kernel:
    return replace(kernel, secrets=SecretBox((NEW_KEY, *kernel.secrets.keys)))


async def test_afterwards_the_new_key_is_enough(add: Add, kernel: Kernel, with_both_keys: Kernel) -> None:
    ids = [UUID((await add(name))["id"]) for name in ("a", "b")]
    before = [await Directory(kernel).load(one) for one in ids]
    assert await rotate_credentials(with_both_keys) == []
    with_new_key = replace(kernel, secrets=SecretBox((NEW_KEY,)))
    assert [await Directory(with_new_key).load(one) for one in ids] == before


async def test_it_names_what_no_key_can_read_and_rotates_the_rest(
    add: Add, kernel: Kernel, with_both_keys: Kernel
) -> None:
    bad, good = UUID((await add("a"))["id"]), UUID((await add("b"))["id"])
    lost = seal(SecretBox(("lost",)), {})
    await kernel.db.execute("UPDATE service_instances SET credentials = $2 WHERE id = $1", bad, lost)
    assert await rotate_credentials(with_both_keys) == [bad]
    assert await rotate_credentials(with_both_keys) == [bad]
    with_new_key = replace(kernel, secrets=SecretBox((NEW_KEY,)))
    assert (await Directory(with_new_key).load(good)).credentials["api_key"] == "very-secret-key"
