from collections.abc import Iterator

import pytest
from elsehu_storage_s3.testing import S3Server, s3_server


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running
