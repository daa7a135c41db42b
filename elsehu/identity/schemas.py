"""What the identity operations take and give."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field, SecretStr, StringConstraints, model_validator

from elsehu.contracts.user import Role
from elsehu.http.schemas import ApiModel
from elsehu.identity.emails import normalise_email

Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")
]
Email = Annotated[str, Field(max_length=254, json_schema_extra={"format": "email"}), AfterValidator(normalise_email)]
Typed = Annotated[str, StringConstraints(min_length=1, max_length=320, pattern=r"^[^\x00]*$")]
Password = Annotated[SecretStr, Field(min_length=1, max_length=1000)]
RefreshToken = Annotated[SecretStr, Field(min_length=1, max_length=200)]


class LoginBody(ApiModel):
    """Who wants to come in."""

    email: Typed
    password: Password


class RefreshBody(ApiModel):
    """The newest refresh token of a session."""

    refresh_token: RefreshToken


class LogoutBody(ApiModel):
    """Which session to end beside the one of the access token."""

    refresh_token: RefreshToken | None = None


class PasswordBody(ApiModel):
    """A new password, and the old one as proof."""

    old_password: Password
    new_password: Password


class UserBody(ApiModel):
    """A new user."""

    name: Name
    email: Email
    role: Role
    password: Password


class UserChanges(ApiModel):
    """What is to be changed of a user; what is left out stays. A new password ends the user's sessions."""

    name: Name | None = None
    email: Email | None = None
    role: Role | None = None
    password: Password | None = None

    @model_validator(mode="after")
    def _refuse_nulls(self) -> "UserChanges":
        nulls = [name for name in self.model_fields_set if getattr(self, name) is None]
        if nulls:
            raise ValueError(f"{', '.join(nulls)} cannot be null; leave out what shall stay as it is")
        return self


class ApiKeyBody(ApiModel):
    """A new API key. Without `expiresAt` it is good until it is deleted."""

    name: Name
    role: Role
    expires_at: AwareDatetime | None = None


class UserAnswer(ApiModel):
    """A user."""

    id: UUID
    name: str
    email: str
    role: Role
    is_active: bool
    created_at: datetime
    presence: str


class TokenPair(ApiModel):
    """An access token, good for `expiresIn` seconds, and the refresh token that gets the next pair, once."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"]
    expires_in: int


class LoginAnswer(TokenPair):
    """A pair of tokens, and who is logged in."""

    user: UserAnswer


class UserPage(ApiModel):
    """Users in the order of their making."""

    items: list[UserAnswer]
    next_cursor: str | None


class ApiKeyAnswer(ApiModel):
    """An API key without the key itself; `hint` is how it begins."""

    id: UUID
    name: str
    hint: str
    role: Role
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class NewApiKeyAnswer(ApiKeyAnswer):
    """A new API key. `key` is shown this once."""

    key: str


class ApiKeyPage(ApiModel):
    """API keys in the order of their making."""

    items: list[ApiKeyAnswer]
    next_cursor: str | None


def plain(secret: SecretStr | None) -> Any:
    """Return what `secret` hides."""
    return secret and secret.get_secret_value()
