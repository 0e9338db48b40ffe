"""What makes two graphs the same graph to keep. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple

from tracking.graph.fingerprint import fingerprint_of, node_hashes

if TYPE_CHECKING:
    from tracking.graph.fingerprint import Fingerprint
    from tracking.graph.model import Graph, Kind


class Identity(NamedTuple):
    """Digests of a graph, equal for graphs that differ in the numbers of their nodes only.

    Attributes:
        fingerprint: of what counts when graphs are compared.
        digest: of all there is, labels of operations, source and version included; 16 bytes.
    """

    fingerprint: Fingerprint
    digest: bytes


def identity(graph: Graph) -> Identity:
    """Return what tells a graph from all others, in about the time of its fingerprint."""
    import numpy as np

    hashes = node_hashes(graph)
    known = fingerprint_of(graph, hashes)
    # A fingerprint tells where each node is, so that the sum of random terms of kinds, weighted by
    # places, tells which kind is where.
    places = np.asarray(hashes.full, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    places += np.asarray(hashes.down, dtype=np.uint64)
    terms = np.array([_term(kind) for kind in graph.kinds], dtype=np.uint64)
    placed = int((places * terms[np.asarray(graph.kind_of)]).sum(dtype=np.uint64))
    about = [known.version, known.full, graph.source, graph.source_version, graph.is_ordered]
    text = json.dumps([*about, len(graph), placed])
    digest = hashlib.blake2b(text.encode(), digest_size=16, person=b"graph").digest()
    return Identity(known, digest)


def _term(kind: Kind) -> int:
    digest = hashlib.blake2b(json.dumps(kind).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")
