"""Django REST framework imports what it finds of three libraries, for a client of tests and for pages that nobody sees
here: a tenth of a start. Here it finds none of them; whoever else asks for them does. Importing this module does it.
"""

import sys
from typing import Any, Final

UNUSED: Final[tuple[str, ...]] = ("markdown", "pygments", "requests")

_modules: dict[str, Any] = sys.modules
_found = {name: _modules.pop(name) for name in UNUSED if name in _modules}
_modules |= dict.fromkeys(UNUSED)  # None: there is no such module
import rest_framework.compat  # noqa: E402, F401

for _name in UNUSED:
    del _modules[_name]
_modules.update(_found)
