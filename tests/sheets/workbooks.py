"""Workbooks made by hand, for what no program writes."""

from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
ROOT = f'<Relationships><Relationship Id="a" Type="{TYPES}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
WORKBOOK = f'<workbook xmlns:r="{TYPES}"><sheets><sheet name="One" r:id="r1"/></sheets></workbook>'
RELATIONS = f"""<Relationships>
<Relationship Id="r1" Type="{TYPES}/worksheet" Target="worksheets/sheet1.xml"/>
<Relationship Id="r2" Type="{TYPES}/sharedStrings" Target="/xl/sharedStrings.xml"/>
<Relationship Id="r3" Type="{TYPES}/styles" Target="styles.xml"/>
</Relationships>"""


def worksheet(*rows: str) -> str:
    """Return a worksheet whose rows are given without their `<row>`."""
    body = "".join(f'<row r="{number}">{cells}</row>' for number, cells in enumerate(rows, 1))
    return f'<worksheet xmlns="{MAIN}"><sheetData>{body}</sheetData></worksheet>'


def text(cell: str) -> str:
    """Return a cell with a text in it."""
    return f'<c t="inlineStr"><is><t>{cell}</t></is></c>'


def write_workbook(path: Path, sheet: str | bytes, **parts: str | bytes) -> Path:
    """Write a workbook of one sheet; `parts` are `sharedStrings`, `styles`, or another `workbook`."""
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr("_rels/.rels", ROOT)
        archive.writestr("xl/workbook.xml", parts.pop("workbook", WORKBOOK))
        archive.writestr("xl/_rels/workbook.xml.rels", RELATIONS)
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
        for name, content in parts.items():
            archive.writestr(f"xl/{name}.xml", content)
    return path
