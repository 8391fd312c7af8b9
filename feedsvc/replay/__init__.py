"""A snapshot → pages a browser can show: records found in its WARC file, and rewritten."""
