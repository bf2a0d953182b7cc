"""The pool: processes that hold loaded scripts and run invocations."""
