"""`python -m docs.generate`: write the pages that are out of date, remove those no longer made."""

from __future__ import annotations

from docs.generate import FOLDER, pages

if __name__ == "__main__":
    made = pages()
    for path in FOLDER.rglob("*.md"):
        if path.relative_to(FOLDER).as_posix() not in made:
            path.unlink()
    for name, text in made.items():
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_text(text, encoding="utf-8")
