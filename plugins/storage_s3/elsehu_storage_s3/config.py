"""`[plugins.storage_s3]` of `elsehu.toml`."""

from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, StringConstraints, model_validator

from elsehu.plugin import PluginModel

MIB = 1024 * 1024

Url = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^(https?://[^/?#@\s]+/?)?$")]
"""A scheme and a host, or nothing."""

Prefix = Annotated[
    str, StringConstraints(max_length=200, pattern=r"^([A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*)?$")
]
"""Folders without a `/` at either end."""


class Config(PluginModel):
    """Where the bucket is, who we are there, and how files are kept and handed out. README.md explains each key."""

    bucket: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    region: str = ""
    endpoint: Url = ""
    allow_http: bool = False
    path_style: bool | None = None
    access_key_id: str = ""
    secret_access_key: SecretStr = SecretStr("")
    prefix: Annotated[
        str,
        StringConstraints(pattern=r"^([A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*)?$", max_length=200),
    ] = ""
    server_side_encryption: Literal["", "AES256", "aws:kms"] = ""
    kms_key_id: str = ""
    presigned_redirects: bool = False
    presigned_seconds: Annotated[int, Field(ge=0, le=7 * 24 * 3600)] = 0
    public_endpoint: Url = ""
    part_bytes: Annotated[int, Field(ge=5 * MIB, le=512 * MIB)] = 5 * MIB
    parts_at_once: Annotated[int, Field(ge=1, le=16)] = 2
    timeout: Annotated[float, Field(gt=0, le=600)] = 30.0
    retries: Annotated[int, Field(ge=0, le=10)] = 3

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for name, url in (("endpoint", self.endpoint), ("public_endpoint", self.public_endpoint)):
            if url.startswith("http://") and not self.allow_http:
                raise ValueError(
                    f"{name} is not encrypted: use https://, or set allow_http = true in a network of yours"
                )
        if bool(self.access_key_id) != bool(self.secret_access_key.get_secret_value()):
            raise ValueError("set access_key_id and secret_access_key both, or neither (then AWS_* or a role is used)")
        if self.kms_key_id and self.server_side_encryption != "aws:kms":
            raise ValueError('kms_key_id needs server_side_encryption = "aws:kms"')
        return self
