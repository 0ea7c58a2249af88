"""How long a row of a file of contacts takes to be read, mapped and checked: `python -m benchmarks.contact_files`."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import xlsxwriter
from chatnode_crm.contacts.values import Rules, check
from chatnode_crm.files.mapping import RowMapper, suggest, suggested_mapping
from chatnode_crm.files.reading import open_table

ROWS = 50_000
HEADER = ["email", "first_name", "last_name", "company", "phone", "country", "city"]


def row(number: int) -> list[str]:
    """A row as people have them."""
    phone = f"+336{10_000_000 + number * 37 % 80_000_000}"
    return [f"jane.doe{number}@example{number % 50}.com", "Jane", f"Doe{number}", "Acme", phone, "Frankreich", "Zürich"]


def write_csv(path: Path) -> None:
    """A CSV file."""
    path.write_text("".join(",".join(cells) + "\r\n" for cells in (HEADER, *map(row, range(ROWS)))))


def write_xlsx(path: Path) -> None:
    """A workbook."""
    with xlsxwriter.Workbook(str(path)) as book:
        page = book.add_worksheet()
        for number, cells in enumerate((HEADER, *map(row, range(ROWS)))):
            page.write_row(number, 0, cells)


def write_cards(path: Path) -> None:
    """vCards."""
    with path.open("w") as file:
        for email, first, last, company, phone, country, city in map(row, range(ROWS)):
            file.write(
                f"BEGIN:VCARD\r\nVERSION:3.0\r\nN:{last};{first};;;\r\nFN:{first} {last}\r\nORG:{company}\r\n"
                f"EMAIL:{email}\r\nTEL:{phone}\r\nADR:;;;{city};;;{country}\r\nEND:VCARD\r\n"
            )


def measure(path: Path) -> tuple[float, float]:
    """Microseconds of the processor for a row: read only, and with mapping and checks. The best of three runs."""
    rules = Rules(default_region="FR", required=("email",), complete=True)
    with open_table(path) as table:
        mapper = RowMapper(suggested_mapping(suggest(table.columns)), table.columns)
        read, everything = [], []
        for _ in range(3):
            start = time.process_time()
            count = sum(1 for _ in table.rows())
            between = time.process_time()
            for raw in table.rows():
                check(mapper.map(raw).values, rules)
            read.append((between - start) / count * 1e6)
            everything.append((time.process_time() - between) / count * 1e6)
    return min(read), min(everything)


def main() -> None:
    """Print the times."""
    with tempfile.TemporaryDirectory() as directory:
        for name, write in (("CSV", write_csv), ("XLSX", write_xlsx), ("vCard", write_cards)):
            path = Path(directory, "file")
            write(path)
            read, everything = measure(path)
            print(f"{name}: {read:.1f} µs to read a row, {everything:.1f} µs with mapping and checks")


if __name__ == "__main__":
    main()
