"""The Cloud API does what every provider must."""

from pathlib import Path

from elsehu_meta_cloud.testing.conformance import Conformance

from elsehu.embedded import EmbeddedServices
from elsehu.testing.provider_suite import assert_conforms


async def test_it_conforms(services: EmbeddedServices, tmp_path: Path) -> None:
    await assert_conforms(Conformance(), services, tmp_path)
