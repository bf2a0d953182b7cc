"""Tests by level: unit, conformance, integration, acceptance."""
