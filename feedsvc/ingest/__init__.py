"""A seed file → a ParsedArticle."""

from feedsvc.ingest.seed import PARSER_VERSION, SEED_FORMATS, parse_seed

__all__ = ["PARSER_VERSION", "SEED_FORMATS", "parse_seed"]
