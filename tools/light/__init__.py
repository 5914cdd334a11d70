"""Make the built site light: one style sheet, one script, the icons that are used, formulas set before they are sent.

Works on the HTML that Sphinx wrote, as the last stage of the build, and knows nothing of what the pages say.
"""

from pathlib import Path

HERE = Path(__file__).resolve().parent
