"""Embedding in bulk: a manifest through an encoder into one Parquet file, however many files and however long."""

from auricle.embedding.bulk import choose_device, embed_manifest
from auricle.embedding.file import EmbedSummary, read_embeddings
from auricle.embedding.work import EmbedProgress

__all__ = ["EmbedProgress", "EmbedSummary", "choose_device", "embed_manifest", "read_embeddings"]
