"""feedsvc: a feed publisher whose articles never rot."""

__version__ = "0.1.0"
