"""A headless Chromium: the system's, else Playwright's own, else one that it fetches."""

import shutil
import subprocess
import sys

from playwright.sync_api import Error

SYSTEM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def program():
    """Return the path of the system's Chromium, None if there is none."""
    return next((path for path in map(shutil.which, SYSTEM) if path), None)


def launch(playwright):
    """Return a running Chromium; None if there is none and none can be fetched."""
    path = program()
    if path:
        return playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
    for fetch in (False, True):
        if fetch:
            command = [sys.executable, "-m", "playwright", "install", "chromium"]
            if subprocess.run(command, capture_output=True, check=False).returncode:
                return None
        try:
            return playwright.chromium.launch(args=ARGUMENTS)
        except Error:
            continue
    return None
