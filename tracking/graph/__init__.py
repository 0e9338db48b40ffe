"""Computation graphs as plain data."""

from __future__ import annotations

from tracking.graph.capture import _build_graph_data, capture_graph, check_graph_data

__all__ = ["_build_graph_data", "capture_graph", "check_graph_data"]
