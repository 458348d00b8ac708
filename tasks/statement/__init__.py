"""The month-end statement: the same figures as a page to sign, as CSV and as a workbook. Same input, same bytes: the moment is handed in."""
