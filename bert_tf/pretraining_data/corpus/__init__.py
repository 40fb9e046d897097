"""Raw text: files, their layouts, documents, their labels; blocks of tokens, segments of rows."""
