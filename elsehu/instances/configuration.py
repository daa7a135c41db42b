"""Credentials and settings of an instance: checked by the provider's own schemas, kept as plain JSON.

Kept is only what a person set, under the schema's field names; defaults are filled in when a plugin is
handed the instance, so that a plugin's new setting has its default everywhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic_core import to_jsonable_python

from elsehu.contracts.errors import FieldError, Invalid
from elsehu.contracts.plugin import ProviderSpec
from elsehu.http.problems import field_errors
from elsehu.plugins import Plugins

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Configuration:
    """What an instance is configured with: field names of the provider's schemas, secrets in plain text."""

    credentials: Json = field(default_factory=dict)
    settings: Json = field(default_factory=dict)


def provider_spec(plugins: Plugins, name: str) -> ProviderSpec:
    """Return the enabled provider called `name`. Raises Invalid (422) that names the enabled ones."""
    specs = {spec.name: spec for spec in plugins.providers()}
    if name in specs:
        return specs[name]
    message = f"{name!r} is not enabled; enabled are: {', '.join(sorted(specs)) or 'none'}"
    raise Invalid("unknown_provider", f"The provider {message}.", errors=[FieldError("provider", message)])


def configure(spec: ProviderSpec, credentials: Json, settings: Json, old: Configuration | None = None) -> Configuration:
    """Return the configuration made of what a caller gave, on top of `old`: key by key, null takes a key back.

    Raises Invalid (422) with fields such as `credentials.apiKey`.
    """
    old = old or Configuration()
    errors: list[FieldError] = []
    checked = Configuration(
        _checked(spec.credentials, _merged(spec.credentials, old.credentials, credentials), "credentials.", errors),
        _checked(spec.settings, _merged(spec.settings, old.settings, settings), "settings.", errors),
    )
    if errors:
        secrets = secrets_of(spec.credentials, credentials)
        shown = [FieldError(error.field, hide(error.message, secrets)) for error in errors]
        raise Invalid("invalid_request", "Some fields are not valid; see errors.", errors=shown)
    return checked


def completed(schema: type[BaseModel], kept: Json) -> Json:
    """Return what was kept with the schema's defaults filled in. Raises ValidationError if it fits no more."""
    return _plain(schema.model_validate(kept, by_name=True, by_alias=False).model_dump())


def secrets_of(schema: type[BaseModel], credentials: Json) -> list[str]:
    """Return the texts in `credentials` that nobody may see: what the schema declares as a secret.

    Where it declares none, or the credentials do not fit it, all count but web addresses, which errors must name.
    """
    try:
        dumped = schema.model_validate(credentials, by_name=True, by_alias=True).model_dump()
    except ValidationError:
        dumped = {}
    declared = [text for value in dumped.values() for text in _secret_texts(value)]
    texts = declared or [text for text in map(str, credentials.values()) if "://" not in text]
    return [text for text in texts if len(text) > 3]


def _secret_texts(value: Any) -> list[str]:
    """Return the secrets in a field's value, which may be a list of them."""
    many = value if isinstance(value, list | tuple) else [value]
    return [one.get_secret_value() for one in many if isinstance(one, SecretStr)]


def hide(text: str, secrets: Sequence[str]) -> str:
    """Return `text` without any of `secrets`."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _checked(schema: type[BaseModel], given: Json, prefix: str, errors: list[FieldError]) -> Json:
    try:
        return _plain(schema.model_validate(given).model_dump(exclude_unset=True))
    except ValidationError as error:
        errors.extend(field_errors(error, prefix))
        return {}


def _merged(schema: type[BaseModel], kept: Json, given: Json) -> Json:
    aliases = {name: one.alias or name for name, one in schema.model_fields.items()}
    both = {aliases.get(name, name): value for values in (kept, given) for name, value in values.items()}
    return {name: value for name, value in both.items() if value is not None}


def _plain(dumped: Json) -> dict[str, Any]:
    plain: dict[str, Any] = to_jsonable_python(_revealed(dumped))
    return plain


def _revealed(value: Any) -> Any:
    match value:
        case SecretStr() | SecretBytes():
            return value.get_secret_value()
        case Mapping():
            return {name: _revealed(one) for name, one in value.items()}
        case list() | tuple():
            return [_revealed(one) for one in value]
    return value
