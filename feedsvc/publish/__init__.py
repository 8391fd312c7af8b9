"""Articles → documents → bytes: composing feeds and writing them in every format."""

from feedsvc.publish.compose import compose_feed
from feedsvc.publish.formats import FEED_FORMATS, MEDIA_TYPES, Rendered, render
from feedsvc.publish.opml import opml

__all__ = ["FEED_FORMATS", "MEDIA_TYPES", "Rendered", "compose_feed", "opml", "render"]
