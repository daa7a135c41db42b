"""Access tokens: what holds, what does not, and that nothing anybody sends is more than a 401."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from elsehu.contracts.errors import Unauthenticated
from elsehu.contracts.user import Role
from elsehu.identity.tokens import Tokens
from elsehu.secretbox import derive, fingerprint
from elsehu.testing.client import ApiClient
from elsehu.testing.serving import RunningServer

OLD, NEW = "the old secret key", "the new secret key, and 32 letters"
USER, SESSION = uuid4(), uuid4()
tokens = Tokens([NEW, OLD], 900)


def claims(leave_out: str = "", **changes: Any) -> dict[str, Any]:
    now = int(datetime.now(UTC).timestamp())
    whole: dict[str, Any] = {"iss": "elsehu", "sub": str(USER), "sid": str(SESSION), "role": "ADMIN", "jti": "x"}
    whole |= {"iat": now, "exp": now + 86400, **changes}
    return {name: value for name, value in whole.items() if name != leave_out}


def signed(secret: str = NEW, *, kid: str | None = None, **changes: Any) -> str:
    return jwt.encode(claims(**changes), derive(secret, "jwt"), "HS256", headers={"kid": kid or fingerprint(secret)})


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def refusal_of(token: str) -> str:
    with pytest.raises(Unauthenticated) as refused:
        tokens.read(token)
    return refused.value.code


def test_a_token_says_who_and_which_session_and_until_when() -> None:
    read = tokens.read(tokens.issue(USER, SESSION, Role.OPERATOR))
    assert (read.user_id, read.session_id) == (USER, SESSION)
    assert abs(read.expires_at - datetime.now(UTC).timestamp() - 900) < 5


def test_the_newest_key_signs_and_all_keys_verify() -> None:
    before = Tokens([OLD], 900).issue(USER, SESSION, Role.ADMIN)
    assert tokens.read(before).user_id == USER
    after = tokens.issue(USER, SESSION, Role.ADMIN)
    assert jwt.get_unverified_header(after)["kid"] == fingerprint(NEW)
    assert Tokens([NEW], 900).read(after).user_id == USER
    with pytest.raises(Unauthenticated):
        Tokens([NEW], 900).read(before)


def test_every_token_is_another() -> None:
    assert tokens.issue(USER, SESSION, Role.ADMIN) != tokens.issue(USER, SESSION, Role.ADMIN)


def test_an_expired_token_says_so() -> None:
    long_ago = Tokens([NEW], 900, lambda: datetime.now(UTC) - timedelta(minutes=16))
    assert refusal_of(long_ago.issue(USER, SESSION, Role.ADMIN)) == "token_expired"


def test_clocks_may_differ_by_seconds_only() -> None:
    now = int(datetime.now(UTC).timestamp())
    assert tokens.read(signed(exp=now - 2)).user_id == USER
    assert tokens.read(signed(iat=now + 2)).user_id == USER
    assert refusal_of(signed(exp=now - 30)) == "token_expired"
    assert refusal_of(signed(iat=now + 30)) == "token_invalid"


LONG_KEY = derive(NEW, "jwt").ljust(64, b"\0")
"""As an HMAC key it is the same key: HMAC pads with zeros."""

FORGED = {
    "no signature": f"{segment({'alg': 'none', 'typ': 'JWT'})}.{segment(claims())}.",
    "no signature, known key": f"{segment({'alg': 'none', 'kid': fingerprint(NEW)})}.{segment(claims())}.",
    "None spelled otherwise": f"{segment({'alg': 'NoNe', 'kid': fingerprint(NEW)})}.{segment(claims())}.",
    "another algorithm": jwt.encode(claims(), LONG_KEY, "HS512", headers={"kid": fingerprint(NEW)}),
    "a foreign key": signed("somebody else's key", kid=fingerprint(NEW)),
    "an unknown key id": signed(kid="unknown"),
    "the secret key itself": jwt.encode(claims(), NEW, "HS256", headers={"kid": fingerprint(NEW)}),
    "no key id": jwt.encode(claims(), derive(NEW, "jwt"), "HS256"),
    "a key id that is no text": f"{segment({'alg': 'HS256', 'kid': ['a']})}.{segment(claims())}.AAAA",
    "another issuer": signed(iss="elsewhere"),
    "no claims": jwt.encode({}, derive(NEW, "jwt"), "HS256", headers={"kid": fingerprint(NEW)}),
    "a user that is no id": signed(sub="admin"),
    "a session that is no id": signed(sid="1"),
    "a session that is a number": signed(sid=7),
    "an expiry that is no number": signed(exp="soon"),
    "deep nesting": base64.urlsafe_b64encode(b"[" * 3000).decode() + ".e30.AAAA",
    "too long": signed(padding="x" * 5000),
    "nothing": "",
    "dots": "..",
    "letters that no token has": "ÿþ.ÿþ.ÿþ",
    **{f"no {name}": signed(leave_out=name) for name in ("iss", "sub", "sid", "role", "iat", "exp", "jti")},
}


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED.keys())
async def test_a_forged_token_is_invalid(token: str) -> None:
    assert refusal_of(token) == "token_invalid"


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_tampered_part_is_noticed(part: int) -> None:
    parts = tokens.issue(USER, SESSION, Role.OPERATOR).split(".")
    changed = bytearray(base64.urlsafe_b64decode(parts[part] + "=="))
    changed[len(changed) // 2] ^= 1
    parts[part] = base64.urlsafe_b64encode(changed).decode().rstrip("=")
    assert refusal_of(".".join(parts)) == "token_invalid"


def test_somebody_elses_claims_do_not_fit_the_signature() -> None:
    mine, theirs = (tokens.issue(USER, SESSION, role).split(".") for role in (Role.OPERATOR, Role.ADMIN))
    assert refusal_of(f"{mine[0]}.{theirs[1]}.{mine[2]}") == "token_invalid"


VALID = Tokens([NEW], 86400).issue(USER, SESSION, Role.ADMIN)


@st.composite
def mutilated(draw: st.DrawFn, valid: str = VALID) -> str:
    start = draw(st.integers(0, len(valid)))
    end = draw(st.integers(start, min(len(valid), start + 40)))
    return valid[:start] + draw(st.text(max_size=40)) + valid[end:]


@given(mutilated())
def test_a_mutilated_token_is_refused_or_the_same(token: str) -> None:
    try:
        assert tokens.read(token).session_id == SESSION
        assert token == VALID
    except Unauthenticated as refused:
        assert refused.code in {"token_invalid", "token_expired"}


@given(st.text(max_size=300))
def test_any_text_is_refused(token: str) -> None:
    assert refusal_of(token) == "token_invalid"


@hypothesis_settings(
    max_examples=hypothesis_settings.default.max_examples // 3,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
async def test_over_http_it_is_never_more_than_a_401(operator: ApiClient, data: st.DataObject) -> None:
    token = data.draw(st.one_of(mutilated(operator.token), st.text(max_size=60).map("elk_".__add__)))
    # What HTTP itself forbids in a header (control characters, a space at the end) never reaches Elsehu.
    header = (b"Bearer " + token.encode().translate(None, bytes(range(32)) + b"\x7f")).rstrip(b" ")
    answer = await operator.get("/api/auth/me", headers=[(b"authorization", header)])
    assert answer.status_code in {200, 401}
    assert answer.status_code == 401 or header == f"Bearer {operator.token}".encode()


HEADERS = [
    (None, "token_missing"),
    ("Bearer", "token_missing"),
    ("Basic YTpi", "token_missing"),
    ("Bearer x", "token_invalid"),
    ("bearer elk_unknown", "token_invalid"),
    ("Bearer elk_", "token_invalid"),
]


async def test_without_a_good_token_401_and_how_to_ask(server: RunningServer) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        for header, code in HEADERS:
            answer = await http.get("/api/auth/me", headers={"authorization": header} if header else {})
            assert (answer.status_code, answer.json()["code"]) == (401, code), header
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["content-type"] == "application/problem+json"


async def test_over_http_an_expired_token_says_so(operator: ApiClient) -> None:
    read = jwt.decode(operator.token, options={"verify_signature": False})
    long_ago = Tokens(["a-secret-key-for-tests-only"], 900, lambda: datetime.now(UTC) - timedelta(hours=1))
    expired = long_ago.issue(UUID(read["sub"]), UUID(read["sid"]), Role.OPERATOR)
    answer = await operator.get("/api/auth/me", headers={"authorization": f"Bearer {expired}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")


async def test_the_role_in_a_token_is_not_believed(operator: ApiClient) -> None:
    read = jwt.decode(operator.token, options={"verify_signature": False})
    boasting = Tokens(["a-secret-key-for-tests-only"], 900).issue(UUID(read["sub"]), UUID(read["sid"]), Role.ADMIN)
    answer = await operator.get("/api/users", headers={"authorization": f"Bearer {boasting}"})
    assert answer.status_code == 403
