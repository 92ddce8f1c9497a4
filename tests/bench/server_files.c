/* tests/bench/server_files.c - what the benchmark's server answers: files below its root, and uploads that leave a hole. */
#include "server.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/sha256.h"

#define MANIFEST_MAX_BYTES (4u << 20)
#define MANIFEST_TYPE      "application/vnd.oci.image.manifest.v1+json"

static bool is_at(const bench_request *r, const char *method, const char *part)
{
    return strcmp(r->method, method) == 0 && strstr(r->path, part) != NULL;
}

static void path_of(const bench_conn *c, const char *path, char *out)
{
    if (snprintf(out, PATH_MAX, "%s%s", c->server->root, path) >= PATH_MAX)
        out[0] = '\0';
}

/* Makes the folders that the path of a file needs. */
static void make_folders(char *path)
{
    for (char *s = strchr(path + 1, '/'); s != NULL; s = strchr(s + 1, '/')) {
        *s = '\0';
        mkdir(path, 0755);
        *s = '/';
    }
}

/* Reads the rest of a body that nobody wants, so that the connection can go on. */
static bool refuse(bench_conn *c, bench_request *r, const char *status)
{
    const char *data;
    ssize_t     n;

    while ((n = bench_read_body(c, r, &data)) > 0)
        continue;
    return n == 0 && bench_answer(c, status, NULL, 0);
}

/* ---- files ---- */

static void digest_of(const char *data, size_t len, char *hex)
{
    uint8_t    sum[32];
    mlr_sha256 s;

    mlr_sha256_init(&s);
    mlr_sha256_update(&s, data, len);
    mlr_sha256_final(&s, sum);
    for (size_t i = 0; i < sizeof sum; i++)
        sprintf(hex + 2 * i, "%02x", sum[i]);
}

/* A manifest's header lines; crane and regctl want its digest in them. */
static void describe_manifest(int file, uint64_t size, char *more, size_t room)
{
    char *data = size <= MANIFEST_MAX_BYTES ? malloc(size + 1) : NULL, hex[65] = "";

    if (data != NULL && pread(file, data, size, 0) == (ssize_t)size)
        digest_of(data, size, hex);
    snprintf(more, room, "Content-Type: " MANIFEST_TYPE "\r\nDocker-Content-Digest: sha256:%s\r\n", hex);
    free(data);
}

static bool send_open_file(bench_conn *c, bench_request *r, int file, uint64_t size)
{
    const char *status = "200 OK";
    char        more[512] = "Content-Type: application/octet-stream\r\nAccept-Ranges: bytes\r\n";
    uint64_t    length = size;

    if (r->ranged) {
        if (r->from >= size || r->from > r->to)
            return bench_answer(c, "416 Range Not Satisfiable", NULL, 0);
        r->to = r->to < size ? r->to : size - 1;
        length = r->to - r->from + 1;
        status = "206 Partial Content";
        snprintf(more + strlen(more), sizeof more - strlen(more), "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n", r->from,
                 r->to, size);
    } else if (strstr(r->path, "/manifests/") != NULL) {
        describe_manifest(file, size, more, sizeof more);
    }
    return bench_answer(c, status, more, length) &&
           (strcmp(r->method, "HEAD") == 0 || bench_send_file(c, file, r->from, length));
}

static bool send_file(bench_conn *c, bench_request *r)
{
    char        path[PATH_MAX];
    struct stat st;
    int         file;
    bool        ok;

    path_of(c, r->path, path);
    if (strstr(r->path, "..") != NULL || (file = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return bench_answer(c, "404 Not Found", NULL, 0);
    if (fstat(file, &st) < 0 || !S_ISREG(st.st_mode))
        ok = bench_answer(c, "404 Not Found", NULL, 0);
    else
        ok = send_open_file(c, r, file, (uint64_t)st.st_size);
    close(file);
    return ok;
}

/* ---- manifests ---- */

static bool keep(bench_conn *c, const char *path, const char *data, size_t len)
{
    char full[PATH_MAX], half[PATH_MAX + 32];
    FILE *f;
    bool ok;

    path_of(c, path, full);
    snprintf(half, sizeof half, "%s.%d", full, c->fd);
    make_folders(half);
    if ((f = fopen(half, "we")) == NULL)
        return false;
    ok = fwrite(data, 1, len, f) == len;
    return fclose(f) == 0 && ok && rename(half, full) == 0;
}

static bool take_manifest(bench_conn *c, bench_request *r)
{
    char       *body = malloc(MANIFEST_MAX_BYTES), path[2048], hex[65], more[256];
    const char *data;
    size_t      len = 0;
    ssize_t     n;
    bool        ok;

    if (body == NULL)
        abort();
    while ((n = bench_read_body(c, r, &data)) > 0 && len + (size_t)n <= MANIFEST_MAX_BYTES) {
        memcpy(body + len, data, (size_t)n);
        len += (size_t)n;
    }
    digest_of(body, len, hex);
    snprintf(path, sizeof path, "%.*s/manifests/sha256:%s", (int)(strstr(r->path, "/manifests/") - r->path), r->path, hex);
    snprintf(more, sizeof more, "Location: /\r\nDocker-Content-Digest: sha256:%s\r\n", hex);
    ok = n == 0 && keep(c, path, body, len) && keep(c, r->path, body, len) && bench_answer(c, "201 Created", more, 0);
    free(body);
    return ok;
}

/* ---- uploads ---- */

/* The session's file has as many bytes as arrived, all of them a hole. */
static int open_session(bench_conn *c, const char *path, uint64_t *size)
{
    char        full[PATH_MAX];
    struct stat st;
    int         fd;

    path_of(c, path, full);
    if ((fd = open(full, O_RDWR | O_CLOEXEC)) >= 0 && fstat(fd, &st) == 0)
        *size = (uint64_t)st.st_size;
    return fd;
}

/* Takes the body into the session, as far as it comes; false: the connection broke. */
static bool take_body(bench_conn *c, bench_request *r, int fd, uint64_t *size)
{
    const char *data;
    ssize_t     n;

    while ((n = bench_read_body(c, r, &data)) > 0)
        *size += (uint64_t)n;
    return ftruncate(fd, (off_t)*size) == 0 && n == 0;
}

/* The session has become the blob that the query names. */
static bool finish(bench_conn *c, const char *session, const char *query)
{
    char        from[PATH_MAX], to[PATH_MAX], blob[2048], more[512];
    const char *digest = strstr(query, "digest=sha256");

    if (digest == NULL || (strncmp(digest + 13, ":", 1) != 0 && strncasecmp(digest + 13, "%3a", 3) != 0))
        return bench_answer(c, "400 Bad Request", NULL, 0);
    digest += digest[13] == ':' ? 14 : 16;
    snprintf(blob, sizeof blob, "%.*s/sha256:%.64s", (int)(strstr(session, "/uploads/") - session), session, digest);
    path_of(c, session, from);
    path_of(c, blob, to);
    if (rename(from, to) < 0)
        return bench_answer(c, "404 Not Found", NULL, 0);
    snprintf(more, sizeof more, "Location: %.255s\r\nDocker-Content-Digest: sha256:%.64s\r\n", blob, digest);
    return bench_answer(c, "201 Created", more, 0);
}

static bool begin_upload(bench_conn *c, bench_request *r)
{
    static _Atomic unsigned last;
    char                    session[1100], full[PATH_MAX], more[1200];
    uint64_t                size = 0;
    int                     fd;
    bool                    ok;

    snprintf(session, sizeof session, "%s%u", r->path, ++last);
    path_of(c, session, full);
    make_folders(full);
    if ((fd = open(full, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) < 0)
        return refuse(c, r, "500 Internal Server Error");
    ok = take_body(c, r, fd, &size);
    close(fd);
    if (ok && strncmp(r->query, "digest=", 7) == 0)
        return finish(c, session, r->query);
    snprintf(more, sizeof more, "Location: %s\r\nRange: 0-0\r\n", session);
    return ok && bench_answer(c, "202 Accepted", more, 0);
}

static bool answer_offset(bench_conn *c, const char *session, const char *status, uint64_t size)
{
    char more[1200];

    snprintf(more, sizeof more, "Location: %s\r\nRange: 0-%" PRIu64 "\r\n", session, size > 0 ? size - 1 : 0);
    return bench_answer(c, status, more, 0);
}

static bool in_session(bench_conn *c, bench_request *r)
{
    char     full[PATH_MAX];
    uint64_t size = 0;
    bool     ok, put = strcmp(r->method, "PUT") == 0;
    int      fd = open_session(c, r->path, &size);

    if (fd < 0)
        return refuse(c, r, "404 Not Found");
    if (strcmp(r->method, "GET") == 0) {
        ok = answer_offset(c, r->path, "204 No Content", size);
    } else if (strcmp(r->method, "DELETE") == 0) {
        path_of(c, r->path, full);
        unlink(full);
        ok = bench_answer(c, "204 No Content", NULL, 0);
    } else if (r->begins >= 0 && (uint64_t)r->begins != size) {
        ok = refuse(c, r, "416 Range Not Satisfiable");
    } else {
        ok = take_body(c, r, fd, &size) &&
             (put ? finish(c, r->path, r->query) : answer_offset(c, r->path, "202 Accepted", size));
    }
    close(fd);
    return ok;
}

/* ---- which of these ---- */

bool bench_serve(bench_conn *c, bench_request *r)
{
    size_t len = strlen(r->path);

    if (strcmp(r->path, "/v2/") == 0)
        return bench_answer(c, "200 OK", NULL, 0);
    if (is_at(r, "POST", "/blobs/uploads/") && r->path[len - 1] == '/')
        return begin_upload(c, r);
    if (strstr(r->path, "/blobs/uploads/") != NULL)
        return in_session(c, r);
    if (is_at(r, "PUT", "/manifests/"))
        return take_manifest(c, r);
    if (strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0)
        return send_file(c, r);
    return refuse(c, r, "405 Method Not Allowed");
}
