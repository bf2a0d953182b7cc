"""What scripts' dict objects wait for: the dict store as operations, between workers.api and workers.dict."""
