"""Articles → documents → bytes: composing feeds and writing them in every format."""

from feedsvc.publish.assets import assets
from feedsvc.publish.channels import (
    feed_id,
    feed_path,
    feed_subtitle,
    feed_title,
    feed_url,
    home,
    topic_channel,
)
from feedsvc.publish.compose import compose_feed, compose_notices
from feedsvc.publish.formats import FEED_FORMATS, MEDIA_TYPES, Rendered, render
from feedsvc.publish.kept import Kept
from feedsvc.publish.opml import opml

__all__ = [
    "FEED_FORMATS",
    "MEDIA_TYPES",
    "Kept",
    "Rendered",
    "assets",
    "compose_feed",
    "compose_notices",
    "feed_id",
    "feed_path",
    "feed_subtitle",
    "feed_title",
    "feed_url",
    "home",
    "opml",
    "render",
    "topic_channel",
]
