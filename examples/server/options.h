/* options.h - what `mlreg serve` is told, and the one call that serves. */
#ifndef SERVE_OPTIONS_H
#define SERVE_OPTIONS_H
#include <stdbool.h>
#include <stdint.h>

typedef struct serve_options {
    const char *store;                  /* directory, made if missing */
    const char *listen;                 /* HOST:PORT; port 0: any */
    const char *htpasswd, *tokens;      /* files; NULL: nobody is asked, on loopback alone */
    const char *cert, *key;             /* PEM; both or neither */
    const char *upstream;               /* "https://host" */
    const char *ca_file;                /* for the upstream */
    uint64_t max_bytes, min_free_bytes; /* of one request; that must stay free on the disk. 0: no limit */
    unsigned max_connections, max_requests_per_s;   /* of all; of one address. 0: 512; no limit */
    bool read_only, json, quiet, plain_http;
} serve_options;

/* Serves until SIGTERM or SIGINT, then finishes what runs. The exit status of the program; reasons are said on stderr. */
int serve(const serve_options *o);
#endif
