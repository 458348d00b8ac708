"""What several systems share: errors, HTTP, paging, budgets, the clock, files, and the base of every sandbox."""
