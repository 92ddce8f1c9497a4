"""The page for people: what it says of a real store, and that a browser shows it without a script, an error or a request elsewhere."""
import html.parser
import json
import re
import shutil
import unittest

from bed.house import PROGRAM, run
from serve.server import Case, digest

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")


class Links(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.all = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.all += [value for name, value in attrs if name in ("href", "src")]


class Store(Case):
    """A model with an origin, an index of variants that names it, and an evaluation that refers to it."""

    def setUp(self):
        super().setUp()
        _, self.base = self.push("base")
        gone = digest(b"gone")
        _, self.model = self.push("v1", b"better weights", artifactType="test/model", annotations={
            "org.opencontainers.image.base.digest": self.base, "org.opencontainers.image.source": "https://git.test/team/train",
            "org.opencontainers.image.revision": "4f2a<b>", "team.run": "javascript:alert(1)", "team.data": gone})
        subject = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": self.model, "size": 1}
        _, self.report = self.push(None, b"accuracy", subject=subject, artifactType="test/evaluation")
        run(PROGRAM, "--store", self.server.store, "index", "create", "-t", "team/x:all", "cpu=team/x:base", "cuda=team/x:v1,compute=8.0")

    def page(self, ref=None):
        return self.ask("GET", f"/?repo=team/x&tag={ref}" if ref else "/", want=200).body.decode()

    @staticmethod
    def to(digest):
        return f"/?repo=team/x&tag={digest}"


class Page(Store):
    def test_page__leads_from_an_artifact_to_what_it_was_made_of_and_what_came_of_it(self):
        page = self.page("v1")
        lineage = page[page.index("<h3>Lineage</h3>"):page.index("<h3>Annotations</h3>")]
        self.assertEqual(Links(lineage).all, [self.to(self.base), "https://git.test/team/train", self.to(self.report)])
        for said in ("test/model", "4f2a&#60;b&#62;", "test/evaluation", "made on"):
            self.assertIn(said, lineage)
        self.assertEqual(Links(page[page.index("<h3>Annotations</h3>"):]).all, [])
        self.assertIn("test/evaluation", self.page(self.report))
        self.assertIn(self.to(self.model), Links(self.page(self.report)).all)

    def test_page__leads_from_an_index_to_its_variants(self):
        page = self.page("all")
        self.assertEqual(sorted(Links(page[page.index("<h3>Variants</h3>"):]).all), sorted(map(self.to, (self.base, self.model))))
        self.assertRegex(page, "<td>cuda<td>")

    def test_page__says_so_when_something_is_not_there(self):
        for ref in ("v2", digest(b"gone"), "sha256:x", "%00", "a%20b"):
            self.assertIn("It is not there", self.page(ref))


@unittest.skipUnless(CHROMIUM, "no chromium is here, which takes 220 MB: `tests/soak page` installs it and runs this")
class Browser(Store):
    def test_browser__shows_every_page_without_an_error_or_a_request_elsewhere(self):
        for path, shown in (("/", "team/x:v1"), (self.to("v1"), "Lineage"), (self.to("all"), "Variants"), (self.to(self.report), "refers to"),
                            (self.to("v2"), "It is not there")):
            dom, said, asked = self.browse(f"http://{self.server.host}{path}")
            self.assertIn(shown, dom, path)
            self.assertNotIn("CONSOLE", said, path)
            self.assertEqual(asked, {f"http://{self.server.host}{path}"})

    def test_browser__complaints_and_requests_are_noticed(self):
        """What the test above relies on."""
        other = self.folder / "other.html"
        other.write_text(f"<script>x.y</script><img src='http://{self.server.host}/z.png'>")
        _, said, asked = self.browse(f"file://{other}")
        self.assertIn("CONSOLE", said)
        self.assertIn(f"http://{self.server.host}/z.png", asked)

    def browse(self, url):
        """The page's DOM, what the browser said, and what it asked for by http."""
        log = self.folder / "net.json"
        done = run(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run",
                   f"--user-data-dir={self.folder / 'browser'}", "--enable-logging=stderr", f"--log-net-log={log}", "--dump-dom", url)
        asked = set(re.findall(r'"url":"(https?://[^"]+)"', json.dumps(json.loads(log.read_text())["events"], separators=(",", ":"))))
        return done.stdout, done.stderr, asked
