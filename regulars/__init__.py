"""Regulars: the nightly retention engine for online shops. This package is the kernel that every stage stands on."""
