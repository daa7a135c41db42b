from typing import Any

import pytest
from elsehu_storage_s3.testing import S3Server

from elsehu.testing.storage_suite import StorageSuite


class TestStorageS3(StorageSuite):
    plugin_name = "storage_s3"

    @pytest.fixture
    def plugin_config(self, s3: S3Server) -> dict[str, Any]:
        return s3.config(presigned_redirects=True)
