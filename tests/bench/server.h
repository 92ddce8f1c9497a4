/* tests/bench/server.h - what the parts of the benchmark's server share: one connection, and its request. */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* In a file that the benchmark maps too: six numbers of the machine's own byte order, in this order. */
typedef struct bench_counters {
    _Atomic uint64_t sent, received;             /* bytes of bodies */
    _Atomic uint64_t requests, connections, open, most_open;
} bench_counters;

typedef struct bench_server {
    const char     *root;
    bench_counters *counters;
    unsigned        delay_ms, connect_ms;        /* before each answer; before a new connection is heard */
    double          rate;                        /* bytes a second of each connection, either way; 0: as fast as it goes */
} bench_server;

typedef struct bench_conn {
    const bench_server *server;
    int                 fd;
    uint64_t            due_ns;                  /* when the rate allows the next byte */
    size_t              at, have;                /* what of buf was not yet read */
    char                buf[256 << 10];
} bench_conn;

typedef struct bench_request {
    char     method[8], path[1024], query[1024];
    uint64_t length, from, to;                   /* of the body; the range that is wanted, `to` inclusive */
    int64_t  begins;                             /* Content-Range of a body; -1: it has none */
    bool     chunked, ranged, expects, closes;
} bench_request;

void bench_wait_ms(unsigned ms);

/* Up to max bytes of the connection, as they lie in its buffer; 0 at its end or when it broke. */
size_t bench_read(bench_conn *c, size_t max, const char **data);
bool   bench_read_line(bench_conn *c, char *line, size_t size);

bool bench_read_request(bench_conn *c, bench_request *r);

/* The next piece of the request's body, counted; 0 at its end; -1: the connection broke. */
ssize_t bench_read_body(bench_conn *c, bench_request *r, const char **data);

/* Sends the head of an answer, after the delay. `more` has whole header lines; a body of `length` bytes is to follow. */
bool bench_answer(bench_conn *c, const char *status, const char *more, uint64_t length);
bool bench_send_file(bench_conn *c, int file, uint64_t from, uint64_t length);

/* Does what the request asks; false: the connection is of no more use. */
bool bench_serve(bench_conn *c, bench_request *r);

#endif
