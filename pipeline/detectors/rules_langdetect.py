"""Ours: cleaning, script, frequent words, and one deterministic pass over langdetect's profiles and our own."""

from __future__ import annotations

from pipeline.language import load

__all__ = ["load"]
