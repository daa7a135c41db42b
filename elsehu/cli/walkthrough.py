"""What `elsehu serve` prints when it comes up empty: a conversation, answered by copy and paste.

The whole text can be pasted into a POSIX shell with curl and python3: what is not a command is a comment.
Comments hold no quotes and no brackets, because an interactive zsh reads them as commands; and no variable
is called `path`, which is that shell's PATH.
"""

import json
import shlex

TEXT = """\
# Elsehu is up. Paste this into another terminal, step by step or whole.

SERVER={base}
json="Content-Type: application/json"
api() {{ to=$1; shift; curl -sS "$SERVER$to" -H "Authorization: Bearer $TOKEN" -H "$json" "$@"; }}
field() {{ python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }}

# 1. Log in.
{login}
TOKEN=$(api /api/auth/login -d "$LOGIN" | field '["accessToken"]')

# 2. See the conversation: a customer wrote to {instance}.
api /api/conversations | python3 -m json.tool
CONVERSATION=$(api /api/conversations | field '["items"][0]["id"]')

# 3. Read its messages.
show='import json, sys; [print(m["direction"], m["status"], m["text"]) for m in json.load(sys.stdin)["items"][::-1]]'
messages() {{ api "/api/messages/conversation/$CONVERSATION" | python3 -c "$show"; }}
messages

# 4. Answer.
ANSWER='{{"conversationId": "'$CONVERSATION'", "text": "Good morning. Yes, until noon."}}'
api /api/messages/send -d "$ANSWER" | field '["status"]'

# 5. Watch the ticks: sent, delivered, read. Then she answers.
for second in 1 2 3 4 5; do sleep 1; echo; messages; done

# 6. Be the customer yourself.
NUMBER=$(api /api/service-instances | field '["items"][0]["id"]')
api "/api/sandbox/$NUMBER/say" -d '{{"text": "And on Sundays?"}}' | field '["taken"]'
messages

# All that a frontend can do: {docs}
"""
LOGIN_FROM_ENVIRONMENT = """\
import json, os; print(json.dumps({"email": %s, "password": os.environ["ELSEHU_ADMIN_PASSWORD"]}))"""


def walkthrough(base_url: str, email: str, password: str | None, instance_name: str) -> str:
    """Return the text to print for a server at `base_url` whose sandbox number is called `instance_name`.

    `password` is shown in it, once; None where the admin chose it himself in ELSEHU_ADMIN_PASSWORD.
    """
    base = base_url.rstrip("/")
    return TEXT.format(
        base=shlex.quote(base),
        login=_login(email, password),
        instance="".join(character for character in instance_name if character.isalnum() or character in " -_"),
        docs=f"{base}/docs",
    )


def _login(email: str, password: str | None) -> str:
    if password is None:
        script = LOGIN_FROM_ENVIRONMENT % json.dumps(email)
        hint = "# The password is the one that you chose: export ELSEHU_ADMIN_PASSWORD first if this terminal has none."
        return f"{hint}\nLOGIN=$(python3 -c {shlex.quote(script)})"
    return "LOGIN=" + shlex.quote(json.dumps({"email": email, "password": password}))
