"""Groups: the list and its reports, the import, and drafts of their tickets."""
