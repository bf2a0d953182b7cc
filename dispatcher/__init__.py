"""The side that creates invocations and receives outcomes: Python API, command line, gateways."""
