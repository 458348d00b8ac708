"""Settlement files, V2 and V1: read, added up and attributed, one row an amount. `read_file` takes one, `read_together` as many as there are."""
