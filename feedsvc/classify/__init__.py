"""Sorting articles into topics: an article in, topics and reasons out; nothing is read or written."""

from feedsvc.classify.classifier import NOWHERE, Classifier
from feedsvc.classify.explanation import Explanation, Hit, TopicReasons
from feedsvc.classify.vocabulary import default_vocabulary, vocabulary_text

__all__ = [
    "NOWHERE",
    "Classifier",
    "Explanation",
    "Hit",
    "TopicReasons",
    "default_vocabulary",
    "vocabulary_text",
]
