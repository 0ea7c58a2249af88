"""Reading and writing files of contacts: CSV, XLSX and vCard. Nothing here knows the database."""
