/* tests/bench/server_http.c - one connection's bytes at the rate that it has, and what of HTTP/1.1 a registry's client speaks. */
#include "server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>

#define PIECE_BYTES (128 << 10)        /* sent at once: at 50 MB/s every 2.6 ms */
#define SLACK_NS    20000000u          /* what a connection may catch up after it was idle or not scheduled */

/* ---- time ---- */

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void wait_until(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

void bench_wait_ms(unsigned ms)
{
    if (ms > 0)
        wait_until(now_ns() + ms * (uint64_t)1000000);
}

/* Waits until the rate allows the bytes that just went by. */
static void pace(bench_conn *c, size_t bytes)
{
    uint64_t now;

    if (c->server->rate <= 0)
        return;
    now = now_ns();
    if (c->due_ns + SLACK_NS < now)
        c->due_ns = now - SLACK_NS;
    c->due_ns += (uint64_t)((double)bytes * 1e9 / c->server->rate);
    if (c->due_ns > now)
        wait_until(c->due_ns);
}

/* ---- bytes in ---- */

size_t bench_read(bench_conn *c, size_t max, const char **data)
{
    size_t n;

    if (c->at == c->have) {
        ssize_t got = recv(c->fd, c->buf, sizeof c->buf, 0);

        c->at = 0;
        c->have = got > 0 ? (size_t)got : 0;
        pace(c, c->have);
    }
    n = c->have - c->at < max ? c->have - c->at : max;
    *data = c->buf + c->at;
    c->at += n;
    return n;
}

bool bench_read_line(bench_conn *c, char *line, size_t size)
{
    size_t      n = 0;
    const char *byte;

    while (n + 1 < size && bench_read(c, 1, &byte) == 1) {
        if (*byte == '\n') {
            line[n > 0 && line[n - 1] == '\r' ? n - 1 : n] = '\0';
            return true;
        }
        line[n++] = *byte;
    }
    return false;
}

/* Begins the next chunk: its size becomes the length that is left; after the last one there is nothing more. */
static bool next_chunk(bench_conn *c, bench_request *r)
{
    char line[1024];

    if (!bench_read_line(c, line, sizeof line) || (*line == '\0' && !bench_read_line(c, line, sizeof line)))
        return false;                  /* the empty line is the end of the chunk before */
    r->length = strtoull(line, NULL, 16);
    if (r->length > 0)
        return true;
    r->chunked = false;
    while (bench_read_line(c, line, sizeof line))
        if (*line == '\0')
            return true;
    return false;
}

ssize_t bench_read_body(bench_conn *c, bench_request *r, const char **data)
{
    size_t n;

    if (r->expects && !bench_answer(c, "100 Continue", NULL, 0))
        return -1;
    r->expects = false;
    if (r->length == 0 && r->chunked && !next_chunk(c, r))
        return -1;
    if (r->length == 0)
        return 0;
    if ((n = bench_read(c, r->length, data)) == 0)
        return -1;
    r->length -= n;
    c->server->counters->received += n;
    return (ssize_t)n;
}

/* ---- bytes out ---- */

static bool send_all(bench_conn *c, const char *data, size_t len, int flags)
{
    while (len > 0) {
        ssize_t n = send(c->fd, data, len, flags | MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

bool bench_answer(bench_conn *c, const char *status, const char *more, uint64_t length)
{
    char head[4096], size[64] = "";
    int  n;

    bench_wait_ms(c->server->delay_ms);
    if (status[0] != '1' && strncmp(status, "204", 3) != 0)
        snprintf(size, sizeof size, "Content-Length: %" PRIu64 "\r\n", length);
    n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\n%s%s\r\n", status, size, more != NULL ? more : "");
    return n > 0 && (size_t)n < sizeof head && send_all(c, head, (size_t)n, length > 0 ? MSG_MORE : 0);
}

bool bench_send_file(bench_conn *c, int file, uint64_t from, uint64_t length)
{
    off_t at = (off_t)from;

    while (length > 0) {
        ssize_t n = sendfile(c->fd, file, &at, length < PIECE_BYTES ? length : PIECE_BYTES);

        if (n <= 0)
            return false;
        length -= (uint64_t)n;
        c->server->counters->sent += (uint64_t)n;
        pace(c, (size_t)n);
    }
    return true;
}

/* ---- requests ---- */

static const char *value_of(const char *line, const char *name)
{
    size_t n = strlen(name);

    if (strncasecmp(line, name, n) != 0 || line[n] != ':')
        return NULL;
    return line + n + 1 + strspn(line + n + 1, " ");
}

static void take_header(bench_request *r, const char *line)
{
    const char *v;

    if ((v = value_of(line, "Content-Length")) != NULL)
        r->length = strtoull(v, NULL, 10);
    else if ((v = value_of(line, "Transfer-Encoding")) != NULL)
        r->chunked = strcasecmp(v, "chunked") == 0;
    else if ((v = value_of(line, "Range")) != NULL) {
        r->to = UINT64_MAX;
        r->ranged = sscanf(v, "bytes=%" SCNu64 "-%" SCNu64, &r->from, &r->to) >= 1;
    } else if ((v = value_of(line, "Content-Range")) != NULL)
        r->begins = strtoll(v + strcspn(v, "0123456789"), NULL, 10);
    else if ((v = value_of(line, "Expect")) != NULL)
        r->expects = true;
    else if ((v = value_of(line, "Connection")) != NULL)
        r->closes = strcasecmp(v, "close") == 0;
}

bool bench_read_request(bench_conn *c, bench_request *r)
{
    char line[8192], target[2048], *query;

    *r = (bench_request){.begins = -1};
    if (!bench_read_line(c, line, sizeof line) || sscanf(line, "%7s %2047s HTTP/1.1", r->method, target) != 2)
        return false;
    if ((query = strchr(target, '?')) != NULL)
        *query++ = '\0';
    if (strlen(target) >= sizeof r->path || (query != NULL && strlen(query) >= sizeof r->query))
        return false;
    strcpy(r->path, target);
    strcpy(r->query, query != NULL ? query : "");
    while (bench_read_line(c, line, sizeof line)) {
        if (*line == '\0')
            return true;
        take_header(r, line);
    }
    return false;
}
