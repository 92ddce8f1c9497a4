/* serve.c - the server: opens, listens, takes each request through its route, and ends when it is told to. */
#include "serve.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECTIONS_DEFAULT 512
#define IDLE_S              60          /* without one byte */
/* What one may hold: its headers, and in half of it the piece of a body at hand. The larger the pieces of those that upload, the more of
 * them are hashed side by side, and the less often anybody is woken. */
#define CONNECTION_BYTES    (512u << 10)
#define STACK_BYTES         (512u << 10)
#define DRAIN_MAX_BYTES     (1u << 20)  /* of a body that nobody wants; more costs the connection */
#define FINISH_MS           60000u      /* for what runs when the end is asked for */

const char *request_header(const request *r, const char *name)
{
    return MHD_lookup_connection_value(r->c, MHD_HEADER_KIND, name);
}

const char *request_argument(const request *r, const char *name)
{
    return MHD_lookup_connection_value(r->c, MHD_GET_ARGUMENT_KIND, name);
}

bool request_is(const request *r, const char *method)
{
    return strcmp(r->method, method) == 0;
}

/* ---- one request ---- */

static request *request_new(server *s, struct MHD_Connection *c, const char *url, const char *method)
{
    request *r = calloc(1, sizeof *r);

    if (r == NULL || (r->url = strdup(url)) == NULL) {
        free(r);
        return NULL;
    }
    r->s = s;
    r->c = c;
    r->method = method;
    r->begun_ms = now_ms();
    strcpy(r->user, "-");
    atomic_fetch_add(&s->metrics.running, 1);
    return r;
}

static enum MHD_Result send_answer(request *r)
{
    enum MHD_Result rc = MHD_queue_response(r->c, r->status, r->early);

    MHD_destroy_response(r->early);
    r->early = NULL;
    r->answered = true;
    return rc;
}

/* An answer may go out now or once the whole body is in, not between. A refusal does not wait for a large body: it closes the connection. */
static enum MHD_Result begin(request *r)
{
    const char *length = request_header(r, "Content-Length"), *coding = request_header(r, "Transfer-Encoding");

    r->route = route_find(r);
    if (r->route != NULL && access_check(r) && limits_check(r) && r->route->begin != NULL)
        r->route->begin(r);
    if (r->early != NULL && (coding != NULL || (length != NULL && strtoull(length, NULL, 10) > DRAIN_MAX_BYTES)))
        return send_answer(r);
    return MHD_YES;
}

static enum MHD_Result take(request *r, const char *data, size_t len)
{
    uint64_t most = r->s->options->max_bytes;

    r->bytes_in += len;
    if (r->status == 0 && most != 0 && r->bytes_in > most)
        answer_error(r, MHD_HTTP_CONTENT_TOO_LARGE, "SIZE_INVALID", "the request is larger than this registry allows", NULL);
    if (r->status == 0 && r->route->body != NULL)
        r->route->body(r, data, len);
    r->unwanted += r->status != 0 ? len : 0;
    return r->unwanted <= DRAIN_MAX_BYTES ? MHD_YES : MHD_NO;
}

static enum MHD_Result end(request *r)
{
    if (r->route != NULL && r->route->end != NULL && (r->status == 0 || r->upload != NULL))
        r->route->end(r);
    if (r->early == NULL)
        return MHD_NO; /* out of memory */
    return send_answer(r);
}

static enum MHD_Result handle(void *user, struct MHD_Connection *c, const char *url, const char *method, const char *version,
        const char *data, size_t *len, void **state)
{
    request *r = *state;

    (void)version;
    if (r == NULL) {
        *state = r = request_new(user, c, url, method);
        return r != NULL ? begin(r) : MHD_NO;
    }
    if (r->answered)
        return MHD_YES;
    if (*len > 0) {
        size_t n = *len;
        *len = 0;
        return take(r, data, n);
    }
    return end(r);
}

static void completed(void *user, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode how)
{
    server *s = user;
    request *r = *state;

    (void)c;
    if (r == NULL)
        return;
    if (how != MHD_REQUEST_TERMINATED_COMPLETED_OK)
        r->status = r->answered ? r->status : 0;
    upload_drop(r);
    atomic_fetch_add(&s->metrics.requests[r->status / 100 < 6 ? r->status / 100 : 0], 1);
    atomic_fetch_add(&s->metrics.bytes_in, r->bytes_in);
    atomic_fetch_add(&s->metrics.bytes_out, r->bytes_out);
    log_request(r);
    if (r->early != NULL)
        MHD_destroy_response(r->early);
    text_done(&r->body);
    text_done(&r->why);
    free(r->url);
    free(r);
    *state = NULL;
    atomic_fetch_sub(&s->metrics.running, 1);
}

static void connection(void *user, struct MHD_Connection *c, void **state, enum MHD_ConnectionNotificationCode what)
{
    server *s = user;

    (void)c;
    (void)state;
    atomic_fetch_add(&s->metrics.connections, what == MHD_CONNECTION_NOTIFY_STARTED ? 1 : -1);
}

/* ---- listening ---- */

static bool is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24 == 127;
    return a->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

/* "127.0.0.1:5000", "[::1]:5000", "localhost:0". */
static struct addrinfo *find_address(const char *listen)
{
    const struct addrinfo hints = { .ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM };
    const char *colon = strrchr(listen, ':');
    struct addrinfo *found = NULL;
    char host[256];
    size_t len = colon != NULL ? (size_t)(colon - listen) : 0;

    if (colon == NULL || len >= sizeof host)
        return NULL;
    memcpy(host, listen, len);
    host[len] = '\0';
    if (len > 1 && host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        memmove(host, host + 1, len - 1);
    }
    return getaddrinfo(host[0] != '\0' ? host : NULL, colon + 1, &hints, &found) == 0 ? found : NULL;
}

static char *read_whole(const char *path)
{
    FILE *f = fopen(path, "re");
    text t = { NULL, 0, 0, false };
    char piece[4096];
    size_t n;

    if (f == NULL) {
        fprintf(stderr, "error: cannot read %s: %s\n", path, strerror(errno));
        return NULL;
    }
    while ((n = fread(piece, 1, sizeof piece, f)) > 0)
        text_add(&t, piece, n);
    fclose(f);
    return t.data;
}

static struct MHD_Daemon *listen_on(server *s, const struct addrinfo *at, char *cert, char *key)
{
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC;
    const serve_options *o = s->options;
    struct MHD_OptionItem tls[] = { { MHD_OPTION_HTTPS_MEM_CERT, 0, cert }, { MHD_OPTION_HTTPS_MEM_KEY, 0, key }, { MHD_OPTION_END, 0, NULL } };

    if (cert != NULL)
        flags |= MHD_USE_TLS;
    if (at->ai_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    return MHD_start_daemon(flags, 0, NULL, NULL, handle, s, MHD_OPTION_SOCK_ADDR, at->ai_addr,
        MHD_OPTION_CONNECTION_LIMIT, o->max_connections != 0 ? o->max_connections : CONNECTIONS_DEFAULT,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
        MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_LISTEN_BACKLOG_SIZE, 1024u,
        MHD_OPTION_NOTIFY_COMPLETED, completed, s, MHD_OPTION_NOTIFY_CONNECTION, connection, s,
        MHD_OPTION_ARRAY, cert != NULL ? tls : tls + 2, MHD_OPTION_END);
}

/* ---- from the beginning to the end ---- */

static int fail_open(mlreg_error *err)
{
    fprintf(stderr, "error: %s\n", mlreg_error_message(err));
    if (mlreg_error_hint(err) != NULL)
        fprintf(stderr, "  %s\n", mlreg_error_hint(err));
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
        fprintf(stderr, "error: cannot listen on \"%s\"\n  write --listen 127.0.0.1:5000\n", o->listen);
    else if (is_open && !is_loopback(at->ai_addr))
        fprintf(stderr, "error: whoever reaches %s could write to this store\n  add --htpasswd FILE or --tokens FILE, or listen on 127.0.0.1\n", o->listen);
    else if ((o->cert == NULL) != (o->key == NULL))
        fprintf(stderr, "error: --cert and --key go together\n");
    else if (o->upstream != NULL && o->read_only)
        fprintf(stderr, "error: --upstream keeps what it brings, so --read-only does not go with it\n");
    else
        return 0;
    return 2;
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
        nanosleep(&pause, NULL);
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
    if ((daemon = listen_on(s, at, cert, key)) == NULL) {
        fprintf(stderr, "error: cannot listen on %s: %s\n", s->options->listen, strerror(errno));
        return 1;
    }
    info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    log_line(s, "info", "serving %s on %s://%.*s:%u", s->options->store, cert != NULL ? "https" : "http",
        (int)(strrchr(s->options->listen, ':') - s->options->listen), s->options->listen, info != NULL ? info->port : 0u);
    if (cert == NULL && !is_loopback(at->ai_addr))
        log_line(s, "warn", "passwords travel unencrypted: use --cert and --key, or a proxy that does TLS");
    wait_for_the_end(s, daemon, &ends);
    MHD_stop_daemon(daemon);
    return 0;
}

int serve(const serve_options *o)
{
    server s = { .options = o };
    struct addrinfo *at = find_address(o->listen);
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
