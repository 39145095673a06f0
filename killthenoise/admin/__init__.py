"""Shared parts of the admin's pages: lists, filters, exports, formats and charts."""
