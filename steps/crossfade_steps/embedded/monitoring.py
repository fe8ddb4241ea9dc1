"""Real Prometheus, scraping every model server and its executor every two seconds."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path

from crossfade_steps.embedded import files, local
from crossfade_steps.embedded.processes import Processes
from crossfade_steps.embedded.tools import Tools, free_port

SCRAPE_SECONDS = 2
START_SECONDS = 30.0
_CONFIG = """\
global: {{scrape_interval: {scrape}s, scrape_timeout: {scrape}s, evaluation_interval: 1m}}
scrape_configs:
- job_name: models
  file_sd_configs:
  - files: [{targets}]
    refresh_interval: 1s
"""


class Monitoring:
    """Prometheus on a loopback port, and what it scrapes."""

    def __init__(self, folder: Path, processes: Processes, tools: Tools) -> None:
        self._folder = files.make_folder(folder / "prometheus")
        self._targets: dict[str, Mapping[str, str]] = {}
        self._lock = threading.Lock()
        self.port = free_port()
        self._file = self._folder / "targets.json"
        self._write()
        config = self._folder / "prometheus.yml"
        targets = json.dumps(str(self._file))
        files.write(config, _CONFIG.format(scrape=SCRAPE_SECONDS, targets=targets))
        processes.start("prometheus", [
            str(tools.prometheus), f"--config.file={config}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--log.level=warn", "--query.lookback-delta=30s",
        ])  # fmt: skip
        local.wait_for("prometheus", f"{self.url}/-/ready", START_SECONDS, processes.failed)

    @property
    def url(self) -> str:
        """Return the store's address."""
        return f"http://127.0.0.1:{self.port}"

    def scrape(self, port: int, path: str, labels: Mapping[str, str]) -> None:
        """Scrape a loopback port from now on, with these labels on every series."""
        with self._lock:
            self._targets[f"127.0.0.1:{port}"] = {**labels, "__metrics_path__": path}
            self._write()

    def forget(self, *ports: int) -> None:
        """Scrape these ports no more."""
        with self._lock:
            for port in ports:
                self._targets.pop(f"127.0.0.1:{port}", None)
            self._write()

    def _write(self) -> None:
        groups = [{"targets": [target], "labels": dict(labels)}
                  for target, labels in sorted(self._targets.items())]  # fmt: skip
        files.replace(self._file, json.dumps(groups))
