"""What the Cloud API takes, as data: checked before a message is queued (Meta Cloud API reference, 4, 8, 10)."""

from elsehu.plugin import InteractiveLimits, Kind, MediaLimit, PairLimit, ProviderSpec

from .config import Credentials, Settings

MEBIBYTE = 1024 * 1024
KINDS = frozenset(
    {
        Kind.TEXT,
        Kind.IMAGE,
        Kind.AUDIO,
        Kind.VIDEO,
        Kind.DOCUMENT,
        Kind.STICKER,
        Kind.LOCATION,
        Kind.CONTACTS,
        Kind.REACTION,
        Kind.INTERACTIVE,
        Kind.TEMPLATE,
    }
)
VOICE_TYPES = frozenset({"audio/ogg"})
SOUNDS = frozenset({"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"})
ANY_HEADER = frozenset({"text", "image", "video", "document"})
WINDOW_HOURS = 24.0
PAIR = PairLimit(seconds=6.0, burst=45)

MEDIA = {
    Kind.IMAGE: MediaLimit(5 * MEBIBYTE, frozenset({"image/jpeg", "image/png"})),
    Kind.AUDIO: MediaLimit(16 * MEBIBYTE, SOUNDS),
    Kind.VIDEO: MediaLimit(16 * MEBIBYTE, frozenset({"video/mp4", "video/3gpp"})),
    # 100 KB for a still one; whether it moves is not known before it is decoded.
    Kind.STICKER: MediaLimit(500 * 1024, frozenset({"image/webp"})),
    Kind.DOCUMENT: MediaLimit(100 * MEBIBYTE),
}

INTERACTIVE = {
    "buttons": InteractiveLimits(max_body=1024, headers=ANY_HEADER, max_choices=3, max_choice_id=256),
    "list": InteractiveLimits(
        max_body=4096,
        headers=frozenset({"text"}),
        max_choices=10,
        max_sections=10,
        max_choice_id=200,
        max_choice_title=24,
    ),
    "link": InteractiveLimits(max_body=1024, headers=ANY_HEADER),
    "flow": InteractiveLimits(max_body=1024, headers=ANY_HEADER, max_label=30),
    "location_request": InteractiveLimits(max_body=1024),
    "contact_request": InteractiveLimits(max_body=1024),
}

SPEC = ProviderSpec(
    name="meta_cloud",
    credentials=Credentials,
    settings=Settings,
    kinds=KINDS,
    webhook_names=("meta",),
    media_limits=MEDIA,
    max_text=4096,
    max_caption=1024,
    max_contacts=257,
    voice_types=VOICE_TYPES,
    interactive=INTERACTIVE,
    window_hours=WINDOW_HOURS,
    messages_per_second=80.0,
    pair_limit=PAIR,
)
