"""What the pages of the admin share: lists, filters, exports, times and pictures."""
