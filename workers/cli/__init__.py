"""The sub-commands of the worker side, loaded lazily by name."""
