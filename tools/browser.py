"""A headless Chromium: the system's, else Playwright's own, else one that it fetches."""

import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Error

SYSTEM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
MISSING = "no Chromium was found and none could be fetched"


def path(playwright):
    """Return the path of a Chromium, fetched if need be; None if there is none and none can be fetched."""
    found = next(filter(None, map(shutil.which, SYSTEM)), None)
    own = playwright.chromium.executable_path
    if found is None and not Path(own).exists():
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], capture_output=True, check=False)
    return found or (own if Path(own).exists() else None)


def launch(playwright):
    """Return a running Chromium; None if there is none that runs."""
    found = path(playwright)
    if found is None:
        return None
    try:
        return playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
    except Error:
        if found != playwright.chromium.executable_path:
            raise
        return None  # it was fetched, and the system lacks what it needs
