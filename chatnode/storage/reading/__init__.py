"""Reading a node's database from other programs, over views whose columns are promised."""
