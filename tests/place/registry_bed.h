/* place/registry_bed.h - a registry place in front of an evil server, and a thief who waits for what is not his.
 * Include after cmocka.h. */
#ifndef MLR_TESTS_REGISTRY_BED_H
#define MLR_TESTS_REGISTRY_BED_H
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "bed/bed.h"
#include "codec/base64.h"
#include "place/registry.h"

#define SECRET      "hunter2-is-secret"
#define REGISTRY_BED_ARGUMENT_MAX 100000                 /* longer scripts go into a file */
#define SECRET_SENT "YW5uOmh1bnRlcjItaXMtc2VjcmV0"      /* base64 of "ann:" and it: what Basic sends */

typedef struct registry_bed {
    bed_server   evil, thief;
    char         home[64];
    mlr_runtime *rt;
    mlr_place   *place;
    mlreg_error *err;
    uint32_t     stall_ms, connections;   /* limits; 0: the default */
} registry_bed;

static inline int registry_bed_credentials(mlreg_auth *a, const char *host, const char *scope, void *user)
{
    (void)host;
    (void)scope;
    (void)user;
    a->creds.kind = MLR_CREDS_BASIC;
    a->creds.name = strdup("ann");
    a->creds.secret = strdup(SECRET);
    a->set = 1;
    return 0;
}

/* A script as evil.py takes it, written so that C can bear it: ' stands for ", and ` for " inside a string. */
static inline char *registry_bed_script(const char *format, va_list args)
{
    char  *text = NULL, *script = NULL;
    size_t len = 0;
    FILE  *to = open_memstream(&script, &len);

    assert_true(vasprintf(&text, format, args) >= 0);
    for (const char *c = text; *c != '\0'; c++)
        fputs(*c == '\'' ? "\"" : *c == '`' ? "\\\"" : (char[]){*c, '\0'}, to);
    fclose(to);
    free(text);
    return script;
}

/* The thief keeps what he is sent and answers as the script says. To be set up before the registry, whose script may
 * name his URL. */
static inline void bed_thief(registry_bed *b, const char *format, ...)
{
    va_list args;
    char   *script;

    va_start(args, format);
    script = registry_bed_script(format, args);
    va_end(args);
    bed_evil_start(&b->thief, script);
    free(script);
}

static inline void registry_bed_place(registry_bed *b)
{
    mlreg_session_options o;

    MLREG_INIT(o);
    o.max_retries = 2;
    o.stall_timeout_ms = b->stall_ms;
    o.auth = registry_bed_credentials;
    assert_int_equal(mlr_runtime_new(&(mlr_limits){.connections = b->connections}, &b->rt, NULL), 0);
    assert_int_equal(mlr_registry_open(b->evil.url, &o, b->rt, NULL, &b->place, &b->err), 0);
}

/* "@FILE" with the script in it, which it frees. */
static inline char *registry_bed_file(registry_bed *b, char *script)
{
    char *name = NULL;
    FILE *f;

    assert_true(asprintf(&name, "@%s/script", b->home) > 0);
    assert_non_null(f = fopen(name + 1, "we"));
    assert_true(fputs(script, f) >= 0);
    assert_int_equal(fclose(f), 0);
    free(script);
    return name;
}

static inline void bed_registry(registry_bed *b, const char *format, ...)
{
    va_list args;
    char   *script;

    va_start(args, format);
    script = registry_bed_script(format, args);
    va_end(args);
    if (strlen(script) > REGISTRY_BED_ARGUMENT_MAX)
        script = registry_bed_file(b, script);
    bed_evil_start(&b->evil, script);
    free(script);
    registry_bed_place(b);
}

static inline void registry_bed_forget(registry_bed *b)
{
    mlr_error_done(b->err);
    b->err = NULL;
}

static inline int registry_bed_setup(void **state)
{
    registry_bed *b = calloc(1, sizeof *b);

    bed_dir_make(b->home);
    setenv("HOME", b->home, 1);
    setenv("DOCKER_CONFIG", b->home, 1);
    unsetenv("XDG_RUNTIME_DIR");
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("XDG_CACHE_HOME");
    unsetenv("XDG_STATE_HOME");
    *state = b;
    return 0;
}

/* Whatever a test did, the thief has seen no secret and no message holds one. */
static inline int registry_bed_teardown(void **state)
{
    registry_bed *b = *state;
    bool          stolen = b->thief.pid > 0 && bed_log_count(&b->thief, "uthorization") > 0;
    bool          told = b->err != NULL && (strstr(b->err->message, SECRET) != NULL || strstr(b->err->message,
        SECRET_SENT) != NULL);

    mlr_place_close(b->place);
    mlr_runtime_unref(b->rt);
    registry_bed_forget(b);
    bed_server_stop(&b->evil);
    bed_server_stop(&b->thief);
    bed_dir_remove(b->home);
    free(b);
    return stolen || told ? -1 : 0;
}

#define registry_test(f) cmocka_unit_test_setup_teardown(f, registry_bed_setup, registry_bed_teardown)

/* ---- what the tests are about ---- */

#define REPO "team/x"
#define MANIFESTS "/v2/team/x/manifests/"
#define BLOBS "/v2/team/x/blobs/"
#define EMPTY_BLOB "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"   /* "{}" */

/* A manifest whose digest `mark` decides; free() it. */
static inline char *some_manifest(const char *mark)
{
    char *text = NULL;

    assert_true(asprintf(&text,
                         "{\"schemaVersion\":2,\"mediaType\":\"" MLR_TYPE_MANIFEST "\",\"config\":{\"mediaType\":\""
                         MLR_TYPE_EMPTY
                         "\",\"digest\":\"" EMPTY_BLOB "\",\"size\":2},\"layers\":[],"
                         "\"annotations\":{\"mark\":\"%s\"}}",
                         mark) > 0);
    return text;
}

static inline char *some_referrer(const char *type, const char *subject, size_t subject_bytes)
{
    char *text = NULL;

    assert_true(asprintf(&text,
                         "{\"schemaVersion\":2,\"mediaType\":\"" MLR_TYPE_MANIFEST "\",\"artifactType\":\"%s\","
                         "\"config\":"
                         "{\"mediaType\":\"" MLR_TYPE_EMPTY "\",\"digest\":\"" EMPTY_BLOB "\",\"size\":2},"
                         "\"layers\":[],"
                         "\"subject\":{\"mediaType\":\"" MLR_TYPE_MANIFEST "\",\"digest\":\"%s\",\"size\":%zu},"
                         "\"annotations\":{\"why\":\"test\"}}",
                         type, subject, subject_bytes) > 0);
    return text;
}

static inline mlr_digest digest_of(const char *text)
{
    mlr_digest d;

    mlr_digest_of(text, strlen(text), &d);
    return d;
}

/* Of the bytes that evil.py sends for "size". */
static inline mlr_digest digest_of_pattern(size_t bytes)
{
    char      *data = malloc(bytes + 1);
    mlr_digest d;

    bed_pattern(0, data, bytes);
    mlr_digest_of(data, bytes, &d);
    free(data);
    return d;
}

static inline char *base64_of(const char *text)
{
    mlr_buf out = MLR_BUF_INIT(1u << 24);
    char   *copy;

    assert_int_equal(mlr_base64_encode(text, strlen(text), &out, NULL), 0);
    copy = strdup(out.data);
    mlr_buf_done(&out);
    return copy;
}

static inline mlr_manifest *parsed(const char *text)
{
    mlr_manifest *m = NULL;

    assert_int_equal(mlr_manifest_parse(text, strlen(text), NULL, &m, NULL), 0);
    return m;
}

static inline mlr_ref tagged(const char *tag)
{
    return (mlr_ref){(char *)REPO, (char *)tag, {""}};
}

static inline mlr_ref by_digest(const mlr_digest *d)
{
    return (mlr_ref){(char *)REPO, NULL, *d};
}

/* The i-th request is this one, by method and path as they stand in the log. */
static inline void assert_request(const bed_server *s, size_t i, const char *method, const char *path)
{
    char *line = bed_log_line(s, i), *wanted = NULL;

    assert_true(asprintf(&wanted, "{\"method\": \"%s\", \"path\": \"%s\"", method, path) > 0);
    if (line == NULL || strncmp(line, wanted, strlen(wanted)) != 0)
        fail_msg("request %zu was to be %s %s and is %.300s", i, method, path, line != NULL ? line : "none");
    free(wanted);
    free(line);
}

static inline size_t n_requests(const bed_server *s)
{
    return bed_log_count(s, "");
}
#endif
