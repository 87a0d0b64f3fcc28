"""From a table, or pictures in a folder, to a study: what is there, which methods fit, and which of them is best."""
