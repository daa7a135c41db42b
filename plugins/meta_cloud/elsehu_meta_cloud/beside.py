"""What stands beside any content: the ad that brought the customer, a product asked about, forwarding."""

from typing import Any

from .flavours import Json, id_of, mapping, text

REFERRAL = {
    "source_url": "sourceUrl",
    "source_id": "sourceId",
    "source_type": "sourceType",
    "headline": "title",
    "body": "body",
    "media_type": "mediaType",
    "image_url": "imageUrl",
    "video_url": "videoUrl",
    "thumbnail_url": "thumbnailUrl",
    "ctwa_clid": "ctwaClid",
}


def beside_content(message: Json, context: Json) -> Json:
    """Return what a payload has whatever its kind; nothing as a rule."""
    beside: dict[str, Any] = {}
    advertised = _referral(mapping(message["referral"])) if "referral" in message else None
    if advertised:
        beside["referral"] = advertised
    if context.get("forwarded") is True or context.get("frequently_forwarded") is True:
        beside["forwarded"] = True
    if context.get("frequently_forwarded") is True:
        beside["frequentlyForwarded"] = True
    product = mapping(context.get("referred_product"))
    if product:
        ids = {"catalogId": "catalog_id", "productId": "product_retailer_id"}
        beside["product"] = {ours: id_of(product.get(theirs)) for ours, theirs in ids.items()}
    return beside


def _referral(advertised: Json) -> Json:
    found = {ours: shown for theirs, ours in REFERRAL.items() if (shown := text(advertised.get(theirs)))}
    welcome = text(mapping(advertised.get("welcome_message")).get("text"))
    return {**found, "welcomeMessage": welcome} if welcome else found
