/* tests/codec/archive_fixture.h - opening archives that lie in memory, and walking through them. */
#ifndef TEST_ARCHIVE_FIXTURE_H
#define TEST_ARCHIVE_FIXTURE_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "bed/tar.h"
#include "codec/archive.h"

#define MIB ((uint64_t)1 << 20)

static const char *const filters[] = {"none", "gzip", "zstd"};

/* One archive, opened. */
struct opened {
    mlr_reader  *reader;
    mlr_archive *archive;
    mlr_member   member;
    mlreg_error *err;
};

static inline int open_bytes(struct opened *o, const mlr_buf *bytes, const mlr_archive_limits *limits, mlr_op *op)
{
    memset(o, 0, sizeof *o);
    assert_int_equal(mlr_reader_from_memory(bytes->data, bytes->len, "layer", &o->reader, NULL), 0);
    return mlr_archive_open(o->reader, limits, op, &o->archive, &o->err);
}

static inline void done(struct opened *o)
{
    mlr_archive_free(o->archive);
    mlr_reader_free(o->reader);
    mlr_error_done(o->err);
}

/* The next member must be this one. */
static inline void assert_next(struct opened *o, mlr_member_kind kind, const char *name, const char *link)
{
    int rc = mlr_archive_next(o->archive, &o->member, &o->err);

    if (rc != 1)
        fail_msg("in place of \"%s\": %d, %s", name, rc, o->err != NULL ? o->err->message : "the end");
    assert_int_equal(o->member.kind, kind);
    assert_string_equal(o->member.name, name);
    if (link == NULL)
        assert_null(o->member.link);
    else
        assert_string_equal(o->member.link, link);
}

static inline void assert_content(struct opened *o, const void *want, size_t len)
{
    char *got = malloc(len + 1);

    assert_non_null(got);
    assert_int_equal(o->member.bytes, len);
    assert_int_equal(mlr_archive_read(o->archive, got, len + 1, &o->err), len);
    assert_memory_equal(got, want, len);
    assert_int_equal(mlr_archive_read(o->archive, got, 1, &o->err), 0);
    free(got);
}

static inline void assert_file(struct opened *o, const char *name, const char *content)
{
    assert_next(o, MLR_MEMBER_FILE, name, NULL);
    assert_content(o, content, strlen(content));
}

static inline void assert_end(struct opened *o)
{
    int rc = mlr_archive_next(o->archive, &o->member, &o->err);

    if (rc != 0)
        fail_msg("in place of the end: %d, %s", rc, rc > 0 ? o->member.name : o->err->message);
    assert_int_equal(mlr_archive_next(o->archive, &o->member, &o->err), 0);
}

/* Walks through all of it; with `read_all` it reads the members, else it passes over them. 0 or the first failure. */
static inline int walk(struct opened *o, bool read_all)
{
    static char buf[100000];
    int         rc;

    while ((rc = mlr_archive_next(o->archive, &o->member, &o->err)) > 0) {
        int64_t n = read_all ? 1 : 0;

        while (n > 0)
            n = mlr_archive_read(o->archive, buf, sizeof buf, &o->err);
        if (n < 0)
            return (int)n;
    }
    return rc;
}

static inline int open_and_walk(struct opened *o, const mlr_buf *bytes, const mlr_archive_limits *limits, bool read_all)
{
    int rc = open_bytes(o, bytes, limits, NULL);

    return rc < 0 ? rc : walk(o, read_all);
}

/* Read or passed over, it must fail so, with a message that holds `word`, and stay failed. */
static inline void assert_fails(const mlr_buf *bytes, const mlr_archive_limits *limits, int code, const char *word)
{
    for (int read_all = 0; read_all <= 1; read_all++) {
        struct opened o;
        int           rc = open_and_walk(&o, bytes, limits, read_all);

        if (rc != code)
            fail_msg("%s: %d and not %d: %s", word, rc, code, o.err != NULL ? o.err->message : "no error");
        assert_non_null(o.err);
        assert_int_equal(o.err->code, code);
        if (strstr(o.err->message, word) == NULL)
            fail_msg("no \"%s\" in: %s", word, o.err->message);
        assert_non_null(strstr(o.err->message, "layer"));
        if (o.archive != NULL) {
            assert_int_equal(mlr_archive_next(o.archive, &o.member, NULL), code);
            assert_int_equal(mlr_archive_read(o.archive, &(char){0}, 1, NULL), code);
        }
        done(&o);
    }
}

static inline void compress(mlr_buf *out, const char *filter, const mlr_buf *in)
{
    if (strcmp(filter, "none") == 0)
        bed_tar_bytes(out, in->data, in->len);
    else
        bed_compress(out, filter, in->data, in->len);
}

/* GNU's format 1.0: holes at the beginning, between, and at the end. */
static inline void sparse_member(mlr_buf *tar, const char *realsize, const char *map, size_t map_len)
{
    char   records[200];
    size_t len = (size_t)snprintf(records, sizeof records,
                                  "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n25 GNU.sparse.name=holey\n"
                                  "%zu GNU.sparse.realsize=%s\n", strlen(realsize) + 24, realsize);

    bed_tar_header(tar, 'x', "PaxHeader", NULL, len);
    bed_tar_body(tar, records, len);
    bed_tar_header(tar, '0', "GNUSparseFile.0/holey", NULL, (map_len + 511) / 512 * 512 + 1024);
    bed_tar_body(tar, map, map_len);
    for (int i = 0; i < 2; i++) {
        char data[512];

        memset(data, 'a' + i, sizeof data);
        bed_tar_body(tar, data, sizeof data);
    }
}

static inline void small_tar(mlr_buf *tar)
{
    bed_tar_pax(tar, 'x', "path", "named/by/pax");
    bed_tar_file(tar, "one", "first content", 13);
    bed_tar_header(tar, '2', "two", "one", 0);
    bed_tar_file(tar, "three", "third content", 13);
    bed_tar_end(tar);
}

/* Many members with a pax name each, more than is taken from the reader at once. */
static inline void many_members(mlr_buf *tar, int n)
{
    static const char content[900];

    for (int i = 0; i < n; i++) {
        bed_tar_pax(tar, 'x', "path", "caf\xc3\xa9");
        bed_tar_file(tar, "cafe", content, sizeof content);
    }
    bed_tar_end(tar);
}
#endif
