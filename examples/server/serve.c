/* serve.c - the server: opens, listens, and ends when it is told to. */
#include "serve.h"
#include "../mlreg/shown.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FINISH_MS           60000u      /* for what runs when the end is asked for */

static char *read_whole(const char *path)
{
    FILE *f = fopen(path, "re");
    text t = { NULL, 0, 0, false };
    char piece[4096];
    size_t n;

    while (f != NULL && (n = fread(piece, 1, sizeof piece, f)) > 0)
        text_add(&t, piece, n);
    if (f == NULL || ferror(f) != 0)
        complain(NULL, "cannot read %s: %s", path, strerror(errno));
    else if (t.data == NULL)
        complain(NULL, "%s is empty", path);
    if (f != NULL)
        fclose(f);
    return t.data;
}

/* The library's hints speak of its own options. */
static int fail_open(mlreg_error *err)
{
    const char *hint = mlreg_error_hint(err);

    if (mlreg_error_code(err) == MLREG_ENOTFOUND)
        hint = "check the path: --store DIR, or MLREG_STORE, says where the store is";
    else if (hint != NULL && strstr(hint, "PLAIN_HTTP") != NULL)
        hint = "give --plain-http if this registry has no TLS";
    complain(hint, "%s", mlreg_error_message(err));
    mlreg_error_free(err);
    return 1;
}

static int open_places(server *s)
{
    mlreg_session_options o;
    mlreg_error *err = NULL;

    MLREG_INIT(o);
    o.flags = s->options->read_only ? MLREG_OPEN_READONLY : MLREG_OPEN_CREATE;
    if (mlreg_session_open(s->options->store, &o, &s->store, &err) < 0)
        return fail_open(err);
    return s->options->upstream == NULL || upstream_open(s, &err) == 0 ? 0 : fail_open(err);
}

static int check_options(const serve_options *o, const struct addrinfo *at)
{
    bool is_open = o->htpasswd == NULL && o->tokens == NULL;

    if (at == NULL)
        complain("write --listen 127.0.0.1:5000, or another address of this machine and a port", "cannot listen on \"%s\"", o->listen);
    else if (is_open && !address_is_loopback(at->ai_addr))
        complain("add --htpasswd FILE or --tokens FILE, or listen on 127.0.0.1", "whoever reaches %s could write to this store", o->listen);
    else if ((o->cert == NULL) != (o->key == NULL))
        complain("give both, or neither where a proxy does TLS", "--cert and --key go together");
    else if (o->upstream != NULL && strncmp(o->upstream, "https://", 8) != 0 && strncmp(o->upstream, "http://", 7) != 0)
        complain("write https://ghcr.io, for example", "\"%s\" is no registry's URL", o->upstream);
    else if (o->upstream != NULL && o->read_only)
        complain("leave one of them out", "--upstream keeps what it brings, so --read-only does not go with it");
    else
        return 0;
    return 2;
}

/* libmicrohttpd says only that it could not begin. */
static int fail_listen(const serve_options *o, int error)
{
    if (o->cert != NULL && error != EADDRINUSE && error != EADDRNOTAVAIL && error != EACCES)
        complain("both are PEM files, and the key is the certificate's", "cannot do TLS with %s and %s", o->cert, o->key);
    else
        complain("choose another port: --listen 127.0.0.1:5001", "cannot listen on %s: %s", o->listen, strerror(error));
    return 1;
}

static void wait_for_the_end(server *s, struct MHD_Daemon *daemon, const sigset_t *ends)
{
    const struct timespec pause = { 0, 20000000 };
    uint64_t asked_ms;
    int signal = 0;

    while (sigwait(ends, &signal) != 0)
        continue;
    atomic_store(&s->stopping, true);
    log_line(s, "info", "stopping: %lld requests are finished first", atomic_load(&s->metrics.running));
    MHD_quiesce_daemon(daemon);
    for (asked_ms = now_ms(); atomic_load(&s->metrics.running) > 0 && now_ms() - asked_ms < FINISH_MS;)
        if (sigtimedwait(ends, NULL, &pause) > 0)
            break;                     /* who asks again does not wait */
    upstream_stop(s->upstream);
}

/* The threads of the daemon are born with the signals blocked: they come to sigwait. */
static int run(server *s, const struct addrinfo *at, char *cert, char *key)
{
    const union MHD_DaemonInfo *info;
    struct MHD_Daemon *daemon;
    sigset_t ends;

    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN);
    if ((daemon = listen_on(s, at, cert, key)) == NULL)
        return fail_listen(s->options, errno);
    info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    log_line(s, "info", "serving %s on %s://%.*s:%u", s->options->store, cert != NULL ? "https" : "http",
        (int)(strrchr(s->options->listen, ':') - s->options->listen), s->options->listen, info != NULL ? info->port : 0u);
    if (cert == NULL && !address_is_loopback(at->ai_addr))
        log_line(s, "warn", "passwords travel unencrypted: use --cert and --key, or a proxy that does TLS");
    wait_for_the_end(s, daemon, &ends);
    MHD_stop_daemon(daemon);
    return 0;
}

int serve(const serve_options *o)
{
    server s = { .options = o };
    struct addrinfo *at = address_find(o->listen);
    char *cert = NULL, *key = NULL;
    int status = check_options(o, at);

    if (status == 0 && o->cert != NULL && ((cert = read_whole(o->cert)) == NULL || (key = read_whole(o->key)) == NULL))
        status = 1;
    if (status == 0 && access_open(o, &s.access) < 0)
        status = 1;
    if (status == 0 && ((s.holds = holds_new()) == NULL || (s.rates = rates_new()) == NULL))
        status = 1;
    if (status == 0 && (status = open_places(&s)) == 0)
        status = run(&s, at, cert, key);
    upstream_free(s.upstream);
    mlreg_session_free(s.store);
    rates_free(s.rates);
    holds_free(s.holds);
    access_close(s.access);
    free(cert);
    free(key);
    if (at != NULL)
        freeaddrinfo(at);
    return status;
}
