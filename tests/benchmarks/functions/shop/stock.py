"""One of several modules that a cold start imports."""

import dataclasses
import json


@dataclasses.dataclass
class Stock:
    name: str
    count: int = 0

    def as_json(self):
        return json.dumps(dataclasses.asdict(self))
