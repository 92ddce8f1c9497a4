/* request.c - takes each request through its route: headers, body, answer, and what is left of it at the end. */
#include "serve.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DRAIN_MAX_BYTES     (1u << 20)  /* of a body that nobody wants; more costs the connection */

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

static enum MHD_Result count_length(void *user, enum MHD_ValueKind kind, const char *name, const char *value)
{
    unsigned *n = user;

    (void)kind;
    (void)value;
    if (name[strcspn(name, " \t")] != '\0')
        *n += 2;
    else if (strcasecmp(name, "Content-Length") == 0 || strcasecmp(name, "Transfer-Encoding") == 0)
        *n += 1;
    return MHD_YES;
}

/* A proxy before us may end the body elsewhere than we do, and hand us the rest as a request of somebody else: RFC 9112, 5.1 and 6.3. */
static bool check_length(request *r)
{
    static const header close[] = { { "Connection", "close" }, { NULL, NULL } };
    unsigned n = 0;

    MHD_get_connection_values(r->c, MHD_HEADER_KIND, count_length, &n);
    if (n > 1)
        answer_error(r, MHD_HTTP_BAD_REQUEST, "UNSUPPORTED", "the request does not say in one way how long it is", close);
    return r->status == 0;
}

/* An answer may go out now or once the whole body is in, not between. A refusal does not wait for a large body: it closes the connection. */
static enum MHD_Result begin(request *r)
{
    const char *length = request_header(r, "Content-Length"), *coding = request_header(r, "Transfer-Encoding");

    if (!check_length(r))
        return send_answer(r);
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
    if (r->status == 0 && r->route->body != NULL && limits_room(r, len))
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

enum MHD_Result request_handle(void *user, struct MHD_Connection *c, const char *url, const char *method, const char *version,
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

void request_completed(void *user, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode how)
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

void connection_notice(void *user, struct MHD_Connection *c, void **state, enum MHD_ConnectionNotificationCode what)
{
    server *s = user;

    (void)c;
    (void)state;
    atomic_fetch_add(&s->metrics.connections, what == MHD_CONNECTION_NOTIFY_STARTED ? 1 : -1);
}
