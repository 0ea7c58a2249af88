"""XLSX workbooks as tables.

The XML is read with the parser of the standard library, a row at a time: memory does not grow with the sheet, and what
libraries leave out is there: formats of numbers, errors, formulas without a value. Nothing with a DOCTYPE is read, so
there are no entities to expand.
"""
