"""Where images come from. One file per source; `SOURCES` and `NAMED` list them."""
