/* cmd_serve.c - `mlreg serve`: the store as a registry, where the program was built with libmicrohttpd. */
#include "cli.h"

#include <stdlib.h>

#include "../server/options.h"

/* NULL: 0. */
static int parse_number(const char *option, const char *text, uint64_t most, uint64_t *out)
{
    char *end;

    *out = 0;
    if (text == NULL)
        return EXIT_OK;
    *out = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || *out > most)
        return fail_usage("it is written in digits alone", "%s: \"%s\" is no number, or too large a one", option, text);
    return EXIT_OK;
}

#ifdef MLREG_SERVE
static int run(const serve_options *o)
{
    return serve(o);
}
#else
static int run(const serve_options *o)
{
    (void)o;
    return fail_plainly("install libmicrohttpd-dev and libcrypt-dev, then build again", "this mlreg was built without its server");
}
#endif

int cmd_serve(cli *c)
{
    serve_options o = { .listen = c->listen != NULL ? c->listen : "127.0.0.1:5000", .htpasswd = c->htpasswd, .tokens = c->token_file, .cert = c->cert,
        .key = c->key, .upstream = c->upstream, .ca_file = c->ca_file, .read_only = c->read_only, .json = c->json, .quiet = c->quiet, .plain_http = c->plain_http };
    uint64_t connections = 0, rate = 0;
    char *path;
    int status;

    if ((status = parse_number("--max-bytes", c->max_bytes, UINT64_MAX / 2, &o.max_bytes)) != EXIT_OK ||
        (status = parse_number("--min-free", c->min_free, UINT64_MAX / 2, &o.min_free_bytes)) != EXIT_OK ||
        (status = parse_number("--max-connections", c->max_connections, 65536, &connections)) != EXIT_OK ||
        (status = parse_number("--max-rate", c->max_rate, 1000000, &rate)) != EXIT_OK)
        return status;
    o.max_connections = (unsigned)connections;
    o.max_requests_per_s = (unsigned)rate;
    if ((path = store_path(c)) == NULL)
        return fail_usage("give --store DIR, or set MLREG_STORE", "there is no place for a store: neither HOME nor XDG_DATA_HOME is an absolute path");
    o.store = path;
    status = run(&o);
    free(path);
    return status;
}
