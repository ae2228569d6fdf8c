"""What is held against a page as it looks: axe-core's faults, and a picture of it in build/screenshots."""
from playwright.sync_api import expect

from conftest import TOP

SHOTS = TOP / "build/screenshots"
AXE = TOP / "build/web/node_modules/axe-core/axe.min.js"
SERIOUS = ("serious", "critical")


def faults(page):
    """What axe-core finds that shuts people out."""
    page.evaluate(AXE.read_text(encoding="utf-8"))  # not a script of the page: its policy would forbid it
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
            for one in found if one["impact"] in SERIOUS for node in one["nodes"][:3]]


def look_at(page, name, scheme):
    expect(page.locator(".loading")).to_have_count(0)
    page.wait_for_timeout(300)  # charts draw in the next frames
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}-{scheme}.png")
    assert faults(page) == []
