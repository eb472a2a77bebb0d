"""Write docs/vectors again."""

from support.vectors import write

write()
