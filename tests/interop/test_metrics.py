"""The metrics, as Prometheus's own tools read them."""
import pathlib
import re
import urllib.error
import urllib.request

from kit.case import free_port, needs, wait_for
from kit.repute import PASSWORD, Repute
from kit.sink import Sink

ROOT = pathlib.Path(__file__).resolve().parents[2]


def read(port, token=None, **fields):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers=fields)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()


def value(text, series):
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.M)
    assert found, f"no {series} in\n{text}"
    return float(found[1])


@needs("promtool", "swaks")
def test_prometheus_reads_the_metrics(case):
    """promtool finds nothing to say about the page and the alert rules; what is delivered is counted."""
    port, sink = free_port(), Sink(case)
    repute = Repute(case, sink=sink, more=f'[web]\nlisten = "127.0.0.1:{port}"\n', start=False)
    token = repute.json("token", "add", "prometheus", "--allow", "metrics", "--write")["token"]
    repute.start()
    for number in range(3):
        case.run(["swaks", "--server", f"127.0.0.1:{repute.port}", "-tls", "--auth-user", "app", "--auth-password", PASSWORD,
                  "--from", "app@sender.example", "--to", f"bob{number}@a.example"])
    wait_for("three deliveries", lambda: value(read(port, token), 'repute_deliveries_total{outcome="delivered"}') == 3)
    text = read(port, token)
    for series, expect in (('repute_messages_accepted_total{origin="client"}', 3), ("repute_delivery_seconds_count", 3),
                           ("repute_ready", 1), ('repute_metrics_unread{what="machine"}', 0)):
        assert value(text, series) == expect, f"{series} is not {expect}:\n{text}"
    for series in ("process_resident_memory_bytes", "repute_spool_bytes", "repute_certificate_expiry_timestamp_seconds"):
        assert value(text, series) > 0, series
    said = case.run(["promtool", "check", "metrics"], stdin=text)
    assert not said.strip(), said
    case.run(["promtool", "check", "rules", ROOT / "docs/alerts.yml"])
    text = read(port, token, Accept="application/openmetrics-text;version=1.0.0")
    assert text.endswith("# EOF\n") and "# TYPE repute_deliveries counter\n" in text, text


def test_nobody_else_reads_the_metrics(case):
    """Without a token there is 401, unless the configuration lets this machine's programs in."""
    port = free_port()
    web = f'[web]\nlisten = "127.0.0.1:{port}"\n'
    repute = Repute(case, more=web, listeners=("submission",))
    try:
        read(port)
        raise AssertionError("the metrics were read without a token")
    except urllib.error.HTTPError as error:
        assert error.code == 401, error
    repute.file.write_text(repute.file.read_text().replace(web, web + 'metrics = "loopback"\n'))
    repute.process.signal(1)
    repute.wait_said("repute: reloaded")
    assert value(read(port), "repute_config_last_reload_successful") == 1
    for field in ({"X-Forwarded-For": "203.0.113.9"}, {"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        try:
            read(port, **field)
            raise AssertionError(f"the metrics were read with {field}")
        except urllib.error.HTTPError as error:
            assert error.code == 401, error
