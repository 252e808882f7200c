"""Stands in for a database client that collects rows and writes them together."""

import time

BATCH = 10
WRITE_S = 0.12


class Connection:
    def __init__(self):
        self.rows = []

    @property
    def waiting(self):
        return len(self.rows)

    def insert(self, row):
        self.rows.append(row)
        if self.waiting == BATCH:
            self.write()

    def write(self):
        time.sleep(WRITE_S)
        print(f"{self.waiting} rows written")
        self.rows.clear()

    def close(self):
        if self.rows:
            self.write()
