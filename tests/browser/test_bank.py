"""The bank's pages in a real browser: a customer's errands, and the door for who holds no account."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from core.clock import utc_now
from core.settings import DEV_ADMIN_PASSWORD
from tests.browser.conftest import Visit
from tests.servers import Server

pytestmark = [pytest.mark.usefixtures("built"), pytest.mark.timeout(120)]

PASSWORD = "password123"

# What is wrong with a page: something sticks out, a control has no name, headings leave a level out, text is smaller
# than 14 px or stands out from its ground by less than 4.5 : 1.
FAULTS = """() => {
  const faults = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) faults.push(`sticks out by ${root.scrollWidth - root.clientWidth}px`);

  const seen = (element) =>
    element.checkVisibility({ visibilityProperty: true }) && !element.closest("[aria-hidden=true]");
  const text = (id) => document.getElementById(id)?.textContent ?? "";
  for (const control of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea")) {
    const name = control.getAttribute("aria-label")
      || (control.getAttribute("aria-labelledby") ?? "").split(" ").map(text).join("")
      || [...(control.labels ?? [])].map((label) => label.textContent).join("")
      || (control.matches("a, button") ? control.textContent : "");
    if (seen(control) && !name.trim()) faults.push(`no name: ${control.outerHTML.slice(0, 120)}`);
  }

  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].filter(seen).map(({ tagName }) => Number(tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) faults.push(`headings: ${levels}`);
  levels.forEach((level, at) => at && level > levels[at - 1] + 1 && faults.push(`a level left out: ${levels}`));

  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const painted = (colors) => {
    for (const color of ["#fff", ...colors]) {
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
    }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = rgb.map((part) => linear(part / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const element = words.currentNode.parentElement;
    const said = words.currentNode.textContent.trim();
    if (!said || !seen(element) || element.closest("script, style, noscript, :disabled, [data-disabled]")) continue;
    const style = getComputedStyle(element);
    if (parseFloat(style.fontSize) < 14) faults.push(`${style.fontSize}: ${said}`);
    const grounds = [];
    for (let at = element; at; at = at.parentElement) grounds.unshift(getComputedStyle(at).backgroundColor);
    const [a, b] = [painted(grounds), painted([...grounds, style.color])].map(light).sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) faults.push(`contrast ${contrast.toFixed(2)}: ${said}`);
  }
  return faults;
}"""


@pytest.fixture(scope="module")
def bank(data_dir: Path) -> Iterator[Server]:
    """A server whose customers nobody else touches."""
    server = Server(data_dir, database="bank_pages.db")
    server.start()
    yield server
    server.stop()


async def log_in(page: Page, server: Server, name: str, password: str) -> None:
    await page.goto(f"{server.url}/login")
    await page.get_by_label("User name, e-mail or phone").fill(name)
    await page.get_by_label("Password", exact=True).fill(password)
    await page.get_by_role("button", name="Log in").click()


async def heading(page: Page, name: str | re.Pattern[str]) -> None:
    await expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
    assert await page.evaluate(FAULTS) == [], f"at {name}"


async def section(page: Page, name: str) -> None:
    await page.get_by_role("navigation", name="Bank").get_by_role("link", name=name).click()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
async def test_a_customer_does_her_errands(bank: Server, visit: Visit, width: int, scheme: str) -> None:
    visitor = await visit(viewport={"width": width, "height": 740}, color_scheme=scheme, locale="en-IN")
    page = visitor.page
    await log_in(page, bank, "jane@example.com", PASSWORD)
    await heading(page, "Your accounts")
    await expect(page.get_by_role("heading", name="Savings account")).to_be_visible()
    await the_focus_is_seen(page)

    await filters_the_statement(page)
    await adds_and_removes_a_payee(page)
    await sends_money(page)
    await sends_much_with_a_code(page, bank)
    await pays_a_bill(page)
    await sets_and_cancels_a_reminder(page)
    await looks_at_the_loan(page)

    await page.get_by_role("link", name="Profile").click()
    await heading(page, "Your profile")
    assert visitor.foreign(bank) == []
    assert [fault for fault in visitor.faults if "422" not in fault] == []  # 422: the wrong code


async def the_focus_is_seen(page: Page) -> None:
    """The next stops of the Tab key are drawn around."""
    for _ in range(5):
        await page.keyboard.press("Tab")
        stop, style, breadth = await page.evaluate(
            "(({ outerHTML }, { outlineStyle, outlineWidth }) => [outerHTML.slice(0, 200), outlineStyle, outlineWidth])"
            "(document.activeElement, getComputedStyle(document.activeElement))"
        )
        assert style != "none" and breadth != "0px", stop


async def filters_the_statement(page: Page) -> None:
    await page.get_by_role("article", name="Savings account").get_by_role("link", name="See the statement").click()
    await heading(page, "Statement")
    lines = page.get_by_role("region", name="Transactions").locator("tbody tr")
    await expect(lines.filter(has_text="for rent")).to_have_count(1)
    await expect(lines.filter(has_text="from Salary")).to_have_count(1)
    await page.get_by_label("Direction").select_option(label="Money in")
    await expect(lines.filter(has_text="for rent")).to_have_count(0)
    await expect(lines.filter(has_text="from Salary")).to_have_count(1)
    await page.get_by_label("Search").fill("nothing of the kind")
    await expect(page.get_by_text("Nothing fits what you have chosen.")).to_be_visible()
    await page.get_by_role("button", name="Show everything").click()
    await expect(lines.filter(has_text="home loan").first).to_be_visible()


async def adds_and_removes_a_payee(page: Page) -> None:
    await section(page, "Payees")
    await heading(page, "Payees")
    await page.get_by_role("link", name="Add a payee").click()
    await page.get_by_label("Name on the account").fill("Asha Rao")
    await page.get_by_label("What you call them").fill("Asha")
    await page.get_by_label("Account number", exact=True).fill("5010 0123 4567")
    await page.get_by_label("Account number again").fill("501001234567")
    ifsc = page.get_by_label("IFSC")
    await ifsc.fill("HDFC123")
    await page.get_by_role("button", name="Add this payee").click()
    await expect(ifsc).to_be_focused()
    await expect(ifsc).to_have_attribute("aria-invalid", "true")
    await heading(page, "Add a payee")
    await ifsc.fill("hdfc0001234")
    await page.get_by_role("button", name="Add this payee").click()
    await expect(page.get_by_text("Asha is added.")).to_be_visible()
    await heading(page, "Payees")
    await page.get_by_role("button", name="Remove Asha").click()
    await page.get_by_role("dialog", name="Remove Asha?").get_by_role("button", name="Remove", exact=True).click()
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await expect(page.get_by_role("heading", name="Asha")).to_have_count(0)
    await expect(page.get_by_role("heading", name="Ravi")).to_be_visible()


async def drafts(page: Page, amount: str) -> None:
    await section(page, "Send money")
    await heading(page, "Send money")
    await the_focus_is_seen(page)
    await page.get_by_role("combobox", name="To").select_option(label="Ravi (Ravi Kumar) ••••0003")
    await page.get_by_label("Amount").fill(amount)
    await page.get_by_label("Note").fill("Lunch, and thanks")
    await page.get_by_role("button", name="Continue").click()
    await heading(page, "Send this money?")
    await expect(page.get_by_text("Lunch, and thanks")).to_be_visible()


async def sends_money(page: Page) -> None:
    await drafts(page, "250")
    await page.get_by_role("button", name="Send ₹250.00").click()
    await heading(page, "Sent ₹250.00 to Ravi Kumar")
    await page.get_by_role("link", name="See the statement").click()
    newest = page.get_by_role("region", name="Transactions").locator("tbody tr").first
    await expect(newest).to_contain_text("Sent ₹250 to Ravi")


async def sends_much_with_a_code(page: Page, bank: Server) -> None:
    await drafts(page, "15,000")
    await page.get_by_role("button", name="Send ₹15,000.00").click()
    await heading(page, "Enter the code")
    # Without a carrier, what would go to her telephone is printed on the console.
    code = re.findall(r"\b\d{6}\b", bank.log)[-1]
    await page.keyboard.type("000000" if code != "000000" else "000001")
    await expect(page.get_by_text("2 tries left")).to_be_visible()
    await page.keyboard.type(code)
    await heading(page, "Sent ₹15,000.00 to Ravi Kumar")


async def pays_a_bill(page: Page) -> None:
    await section(page, "Bills")
    await heading(page, "Bills")
    first = page.get_by_role("link", name=re.compile("^Pay ")).first
    biller = (await first.get_attribute("aria-label") or "").removeprefix("Pay ")
    await first.click()
    await heading(page, "Pay this bill?")
    await page.get_by_role("button", name=re.compile("^Pay ₹")).click()
    await heading(page, re.compile(f"^Paid ₹.* to {biller}$"))
    await page.get_by_role("link", name="Back to your bills").click()
    await expect(page.get_by_role("link", name=f"See the payment to {biller}")).to_be_visible()
    await expect(page.get_by_role("link", name=f"Pay {biller}")).to_have_count(0)


async def sets_and_cancels_a_reminder(page: Page) -> None:
    await section(page, "Reminders")
    await heading(page, "Reminders")
    await page.get_by_role("link", name="Add a reminder").click()
    await page.get_by_role("button", name="Add this reminder").click()
    await expect(page.get_by_label("Remind me to")).to_be_focused()
    await heading(page, "Add a reminder")
    await page.get_by_label("Remind me to").fill("Renew the passport")
    await page.get_by_label("Day").fill(str(utc_now().date() + timedelta(days=40)))
    await page.get_by_role("button", name="Add this reminder").click()
    await page.get_by_role("button", name="Cancel the reminder: Renew the passport").click()
    await expect(page.get_by_role("heading", name="Renew the passport")).to_have_count(0)
    await heading(page, "Reminders")


async def looks_at_the_loan(page: Page) -> None:
    await section(page, "Loans")
    await heading(page, "Loans")
    await page.get_by_role("link", name="See every instalment").click()
    await heading(page, "Home loan")
    instalments = page.get_by_role("region", name="Instalments").locator("tbody tr")
    await expect(instalments.filter(has_text="Next")).to_have_count(1)
    await page.get_by_role("button", name="Next page").click()
    await expect(instalments.filter(has_text="Next")).to_have_count(0)
    await heading(page, "Home loan")


async def test_an_administrator_is_told_whom_the_pages_are_for(bank: Server, visit: Visit) -> None:
    """And first changes a password that was given out, before anything else is open."""
    with closing(sqlite3.connect(bank.data_dir / bank.database, timeout=10)) as database, database:
        database.execute("UPDATE users SET must_change_password = 1 WHERE username = 'cawadmin'")
    page = (await visit(viewport={"width": 360, "height": 740})).page
    await log_in(page, bank, "cawadmin", DEV_ADMIN_PASSWORD)
    await heading(page, "Choose a password of your own")
    await page.goto(f"{bank.url}/bank/accounts")
    await heading(page, "Choose a password of your own")

    current, new = page.get_by_label("Current password"), page.get_by_label("New password", exact=True)
    change = page.get_by_role("button", name="Change the password")
    await change.click()
    await expect(current).to_be_focused()
    await current.fill("not this one")
    await new.fill("four quiet harbour lights")
    await page.get_by_label("New password again").fill("four quiet harbour light")
    await change.click()
    await expect(page.get_by_text("The two new passwords differ.")).to_be_visible()
    await page.get_by_label("New password again").fill("four quiet harbour lights")
    await change.click()
    await expect(page.get_by_text("The current password is not right.")).to_be_visible()
    await expect(current).to_be_focused()
    await current.fill(DEV_ADMIN_PASSWORD)
    await change.click()
    await expect(page.get_by_text("Your password is changed")).to_be_visible()

    await log_in(page, bank, "cawadmin", "four quiet harbour lights")
    await heading(page, "Overview")
    await page.goto(f"{bank.url}/bank/accounts")
    await heading(page, "You are logged in as an administrator")
    await page.get_by_role("link", name="Open the dashboard").click()
    await heading(page, "Overview")
    await page.get_by_role("button", name="Log out", exact=True).click()
    await heading(page, "Log in to the dashboard")
