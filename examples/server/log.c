/* log.c - one line for each request and event on stderr, for people or as JSON; and the same in numbers. */
#include "serve.h"

#include <stdarg.h>
#include <time.h>

uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void stamp(char out[32])
{
    time_t now = time(NULL);
    struct tm utc;

    gmtime_r(&now, &utc);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

/* One write, so that lines of several threads do not mix. */
static void say(text *t)
{
    text_put(t, "\n");
    if (!t->failed)
        fwrite(t->data, 1, t->len, stderr);
    text_done(t);
}

void log_line(const server *s, const char *level, const char *format, ...)
{
    text t = { NULL, 0, 0, false };
    char at[32], message[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    stamp(at);
    if (s->options->json) {
        text_printf(&t, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":", at, level);
        text_json(&t, message);
        text_put(&t, "}");
    } else {
        text_printf(&t, "%s %s: ", at, level);
        text_line(&t, message);
    }
    say(&t);
}

/* What strangers sent is quoted: a terminal obeys control characters. */
void log_request(const request *r)
{
    unsigned long long ms = now_ms() - r->begun_ms, in = r->bytes_in, out = r->bytes_out;
    text t = { NULL, 0, 0, false };
    char at[32];

    if (r->s->options->quiet && r->status < 500)
        return;
    stamp(at);
    if (r->s->options->json) {
        text_printf(&t, "{\"time\":\"%s\",\"level\":\"info\",\"method\":", at);
        text_json(&t, r->method);
        text_put(&t, ",\"path\":");
        text_json(&t, r->url);
        text_printf(&t, ",\"status\":%u,\"bytes_in\":%llu,\"bytes_out\":%llu,\"ms\":%llu,\"user\":", r->status, in, out, ms);
        text_json(&t, r->user);
        text_put(&t, "}");
    } else {
        text_printf(&t, "%s ", at);
        text_json(&t, r->method);
        text_put(&t, " ");
        text_json(&t, r->url);
        text_printf(&t, " %u in=%llu out=%llu ms=%llu user=", r->status, in, out, ms);
        text_json(&t, r->user);
    }
    say(&t);
}

/* ---- /metrics and /healthz ---- */

static void put_metric(text *t, const char *name, const char *kind, const char *help, long long value)
{
    text_printf(t, "# HELP mlreg_%s %s\n# TYPE mlreg_%s %s\nmlreg_%s %lld\n", name, help, name, kind, name, value);
}

void metrics_end(request *r)
{
    metrics *m = &r->s->metrics;
    text t = { NULL, 0, 0, false };

    text_put(&t, "# HELP mlreg_requests_total Requests that were answered, by class of status.\n# TYPE mlreg_requests_total counter\n");
    for (size_t i = 1; i < 6; i++)
        text_printf(&t, "mlreg_requests_total{status=\"%zuxx\"} %llu\n", i, atomic_load(&m->requests[i]));
    put_metric(&t, "requests_broken_total", "counter", "Requests that broke off without an answer.", (long long)atomic_load(&m->requests[0]));
    put_metric(&t, "received_bytes_total", "counter", "Bytes of request bodies.", (long long)atomic_load(&m->bytes_in));
    put_metric(&t, "sent_bytes_total", "counter", "Bytes of answers' bodies.", (long long)atomic_load(&m->bytes_out));
    put_metric(&t, "connections", "gauge", "Open connections.", atomic_load(&m->connections));
    put_metric(&t, "requests_running", "gauge", "Requests that are being answered.", atomic_load(&m->running));
    answer_text(r, MHD_HTTP_OK, "text/plain; version=0.0.4", &t, NULL);
}

void health_end(request *r)
{
    text t = { NULL, 0, 0, false };

    text_put(&t, atomic_load(&r->s->stopping) ? "stopping\n" : "ok\n");
    answer_text(r, atomic_load(&r->s->stopping) ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK, "text/plain", &t, NULL);
}
