"""faults.py - what goes wrong on the line: before the registry is asked, inside an answer, and after it has acted."""
import socket


class Fault:
    """`before` acts when a request's head has come, `after` when the registry has answered; each gives whether the connection is over."""

    def __init__(self, name, before=None, after=None, fits=lambda kind: True):
        self.name, self._before, self._after, self.fits = name, before, after, fits

    def before(self, line):
        return bool(self._before and self._before(line))

    def after(self, line, answer, method):
        return bool(self._after and self._after(line, answer, method))


def sends_body(kind):
    return kind.split()[0] in ("PUT", "PATCH")


def gets_body(kind):
    return kind.startswith("GET")


def gets_blob(kind):
    return kind == "GET blob"


# ---- ways to end ----

def reset(line):
    line.reset()


def close(line):
    line.connection.shutdown(socket.SHUT_RDWR)
    return True


def silence(line):
    line.silent()


def half_body(then):
    """When half of what the client sends has come."""
    def act(line):
        line.read(line.owed // 2)
        return then(line)
    return act


def half_answer(then):
    """The head and half of the body go out."""
    def act(line, answer, method):
        line.send(answer.head() + answer.body[:len(answer.body) // 2])
        return then(line)
    return act


def unheard(then):
    """The registry has acted, and nobody hears of it."""
    return lambda line, answer, method: then(line)


def after_head(line, answer, method):
    line.send(answer.head())
    return close(line)


def last_byte(line, answer, method):
    line.send(answer.head() + answer.body[:-1])
    return close(line)


def trickle(line, answer, method):
    """Slow, and never so slow as to be dead: the last bytes come one by one."""
    body = b"" if method == "HEAD" else answer.body
    line.send(answer.head() + body[:-20])
    line.trickle(body[-20:])
    return True


# ---- answers ----

def says(status, body=b"", **headers):
    """An answer in place of the registry's, which is not asked."""
    text = "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in headers.items())

    def act(line):
        line.read(line.owed)
        line.send(f"HTTP/1.1 {status} Because\r\n{text}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        return True
    return act


def early(status):
    """It is said before the body was read, which then is not."""
    def act(line):
        line.send(f"HTTP/1.1 {status} Because\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        return close(line)
    return act


def lost(status):
    """The registry has acted; a gateway says something else."""
    def act(line, answer, method):
        line.send(f"HTTP/1.1 {status} Because\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        return True
    return act


def expired(line, answer, method):
    """As the registry says it when no token came: the client's own is not good any more."""
    answer.status, answer.reason = 401, "Unauthorized"
    answer.put("WWW-Authenticate", line.challenge())


def garbage(line):
    line.read(line.owed)
    line.send(b"\x16\x03\x01 what is this\0\r\n\r\n\xff\xfe")
    return True


def bad_header(line, answer, method):
    line.send(answer.head().replace(b"\r\n\r\n", b"\r\n: \0nameless\r\nContent-Length: minus one\r\n\r\n") + answer.body)
    return True


def longer(line, answer, method):
    """More than was promised, by its own length."""
    answer.body += b"and more"
    answer.put("Content-Length", str(len(answer.body)))


def beyond(line, answer, method):
    """More than was promised, behind it."""
    line.send(answer.head() + answer.body + b"and more, which is no answer to anything")
    return True


def shorter(line, answer, method):
    answer.body = answer.body[:-8]
    answer.put("Content-Length", str(len(answer.body)))


def other_bytes(line, answer, method):
    answer.body = bytes([answer.body[0] ^ 1]) + answer.body[1:] if answer.body else b"x"


def other_range(line, answer, method):
    if answer.status == 206:
        answer.put("Content-Range", "bytes 7-11/12")


def other_total(line, answer, method):
    if answer.status == 206:
        answer.put("Content-Range", answer.get("Content-Range").rpartition("/")[0] + "/99")


def whole(line, answer, method):
    answer.put("Content-Range", None)
    answer.status = 200


FAULTS = [
    Fault("reset at once", before=reset),
    Fault("closed at once", before=close),
    Fault("silence at once", before=silence),
    Fault("reset inside what is sent", before=half_body(reset), fits=sends_body),
    Fault("closed inside what is sent", before=half_body(close), fits=sends_body),
    Fault("silence inside what is sent", before=half_body(silence), fits=sends_body),
    Fault("reset inside the answer", after=half_answer(reset), fits=gets_body),
    Fault("closed inside the answer", after=half_answer(close), fits=gets_body),
    Fault("silence inside the answer", after=half_answer(silence), fits=gets_body),
    Fault("the last byte is missing", after=last_byte, fits=gets_body),
    Fault("closed after the head", after=after_head, fits=gets_body),
    Fault("done, then reset", after=unheard(reset)),
    Fault("done, then closed", after=unheard(close)),
    Fault("done, then silence", after=unheard(silence)),
    Fault("done, then 502", after=lost(502)),
    Fault("trickle", after=trickle),
    *(Fault(str(status), before=says(status, b"<html>sorry</html>")) for status in (401, 403, 404, 416, 500, 501, 502, 503, 504)),
    Fault("429", before=says(429)),
    Fault("429 with Retry-After", before=says(429, Retry_After="1")),
    Fault("503 with a date", before=says(503, Retry_After="Fri, 31 Dec 1999 23:59:59 GMT")),
    Fault("the token has expired", after=expired),
    Fault("a challenge without a realm", before=says(401, WWW_Authenticate='Bearer error="invalid_token"')),
    Fault("redirect to where it has expired", before=says(307, Location="http://127.0.0.1:9/gone"), fits=gets_body),
    Fault("500 before the body was read", before=early(500), fits=sends_body),
    Fault("413 before the body was read", before=early(413), fits=sends_body),
    Fault("garbage for an answer", before=garbage),
    Fault("headers that are none", after=bad_header),
    Fault("a longer body", after=longer, fits=gets_body),
    Fault("bytes behind the body", after=beyond),
    Fault("a shorter body", after=shorter, fits=gets_body),
    Fault("other bytes", after=other_bytes, fits=gets_body),
    Fault("another range", after=other_range, fits=gets_blob),
    Fault("another total", after=other_total, fits=gets_blob),
    Fault("200 for a range", after=whole, fits=gets_blob),
]
