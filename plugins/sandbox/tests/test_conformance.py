"""The sandbox does what every provider must."""

from pathlib import Path

from elsehu_sandbox.testing.conformance import Conformance

from elsehu.testing.provider_suite import Services, assert_conforms


async def test_it_conforms(services: Services, tmp_path: Path) -> None:
    await assert_conforms(Conformance(), services, tmp_path)
