"""Compiles the MicroPython client for a board with little heap: compile_micropython.py MPY_CROSS INTO.

What always stays in memory becomes one module, `ozone.mpy`: that takes 2 KB less than the nine that the board would
compile one by one. What is needed once, and forgotten, stays apart.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCES = Path(__file__).with_name("micropython")
ONCE = ("ozone_begin", "ozone_recall", "ozone_tls")


def one_module() -> str:
    parts = {path.stem: path.read_text() for path in sorted(SOURCES.glob("*.py")) if path.stem not in ONCE}
    whole = parts.pop("ozone")
    text = "\n".join([*parts.values(), whole[whole.index("__all__") :]])
    imports = sorted(set(re.findall(r"^import \w+$", text, re.MULTILINE)))
    return "\n".join([*imports, re.sub(r"^(import \w+|from ozone_\w+ import [^(\n]+)$", "", text, flags=re.MULTILINE)])


def main() -> None:
    compiler, into = sys.argv[1], Path(sys.argv[2])
    into.mkdir(parents=True, exist_ok=True)
    modules = {"ozone": one_module()}
    for name in ONCE:
        text = (SOURCES / f"{name}.py").read_text()
        modules[name] = re.sub(r"^from ozone_\w+ import", "from ozone import", text, flags=re.MULTILINE)
    with tempfile.TemporaryDirectory() as folder:
        for name, text in modules.items():
            source = Path(folder, f"{name}.py")
            source.write_text(text)
            command = [compiler, "-O3", "-s", source.name, "-o", str(into / f"{name}.mpy"), str(source)]
            subprocess.run(command, check=True)  # noqa: S603


if __name__ == "__main__":
    main()
