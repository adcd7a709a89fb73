"""Who may read what: ids, permissions, the directory, grants and their narrowing. All pure."""
