/* tests/codec/test_archive_hostile.c - broken archives, bombs, what else goes wrong: errors, nothing worse. */
#include "codec/archive.h"

#include <stdatomic.h>

#include "bed/failing_alloc.h"
#include "codec/archive_fixture.h"

/* A reader that gives little at a time and fails at some offset. */
struct failing_reader {
    mlr_reader   base;
    const mlr_buf *bytes;
    uint64_t     fails_at;
};

static int64_t failing_read_at(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    struct failing_reader *odd = (struct failing_reader *)r;
    uint64_t           end = odd->fails_at < r->bytes ? odd->fails_at : r->bytes;
    size_t             n = len < 700 ? len : 700;

    (void)op;
    if (offset >= odd->fails_at)
        return mlr_error_set(err, MLREG_EIO, "the disk is gone");
    n = n < end - offset ? n : (size_t)(end - offset);
    memcpy(buf, odd->bytes->data + offset, n);
    return (int64_t)n;
}

static void failing_free(mlr_reader *r)
{
    (void)r;
}

static const mlr_reader_ops failing_ops = {.read_at = failing_read_at, .free = failing_free};

static struct failing_reader failing_reader(const mlr_buf *bytes)
{
    return (struct failing_reader){.base = {.ops = &failing_ops, .bytes = bytes->len, .fd = -1, .name = "layer"},
                               .bytes = bytes, .fails_at = UINT64_MAX};
}

static void test_archive__the_readers_error_comes_through(void **state)
{
    mlr_buf           tar = BED_TAR_INIT, packed = BED_TAR_INIT;
    struct failing_reader odd;

    (void)state;
    many_members(&tar, 1000);
    for (int i = 0; i < 3; i++) {
        mlr_buf_clear(&packed);
        compress(&packed, filters[i], &tar);
        for (uint64_t at = 0; at < packed.len; at += packed.len / 7) {
            struct opened o = {.reader = NULL};
            int           rc;

            odd = failing_reader(&packed);
            odd.fails_at = at;
            if ((rc = mlr_archive_open(&odd.base, NULL, NULL, &o.archive, &o.err)) == 0)
                rc = walk(&o, at % 2 == 0);
            assert_int_equal(rc, MLREG_EIO);
            assert_string_equal(o.err->message, "the disk is gone");
            done(&o);
        }
    }
    mlr_buf_done(&packed);
    mlr_buf_done(&tar);
}

static void test_archive__stops_when_cancelled(void **state)
{
    mlr_buf       packed = BED_TAR_INIT, head = BED_TAR_INIT;
    struct opened o;
    mlreg_op     *remote;
    mlr_op       *op;

    (void)state;
    bed_tar_header(&head, '0', "zeros", NULL, 1024 * MIB);
    bed_compress(&packed, "zstd", head.data, head.len);
    bed_compress_zeros(&packed, "zstd", 1024 * MIB);
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    assert_int_equal(mlr_op_begin(remote, &op, NULL), 0);
    assert_int_equal(open_bytes(&o, &packed, NULL, op), 0);
    assert_next(&o, MLR_MEMBER_FILE, "zeros", NULL);
    mlr_remote_cancel(remote);
    assert_int_equal(mlr_archive_read(o.archive, &(char){0}, 1, NULL), MLREG_ECANCELLED);
    assert_int_equal(mlr_archive_next(o.archive, &o.member, &o.err), MLREG_ECANCELLED);
    done(&o);
    mlr_op_end(op);
    mlr_remote_free(remote);
    mlr_buf_done(&head);
    mlr_buf_done(&packed);
}

/* A call that only passes over a member looks as often as one that reads it. */
static int cancel_once_open(mlreg_op *op, void *user)
{
    (void)op;
    return atomic_load((atomic_int *)user);
}

static void test_archive__stops_when_cancelled_on_the_way(void **state)
{
    const mlr_archive_limits none = {.ratio = UINT64_MAX};
    mlr_buf                  packed = BED_TAR_INIT, head = BED_TAR_INIT;
    struct opened            o;
    mlreg_op                *remote;
    mlr_op                  *op;
    atomic_int               is_open = 0;

    (void)state;
    bed_tar_header(&head, '0', "zeros", NULL, 4096 * MIB);
    bed_compress(&packed, "zstd", head.data, head.len);
    bed_compress_zeros(&packed, "zstd", 4096 * MIB);
    assert_int_equal(mlr_remote_new(&remote, NULL), 0);
    mlr_remote_on_progress(remote, cancel_once_open, &is_open, 50);
    assert_int_equal(mlr_op_begin(remote, &op, NULL), 0);
    assert_int_equal(open_bytes(&o, &packed, &none, op), 0);
    assert_next(&o, MLR_MEMBER_FILE, "zeros", NULL);
    atomic_store(&is_open, 1);
    assert_int_equal(mlr_archive_next(o.archive, &o.member, &o.err), MLREG_ECANCELLED);
    done(&o);
    mlr_op_end(op);
    mlr_remote_free(remote);
    mlr_buf_done(&head);
    mlr_buf_done(&packed);
}

static void test_archive__data_outside_of_its_file_is_broken(void **state)
{
    static const char *const maps[] = {"2\n0\n512\n8999\n512\n", "2\n4000\n512\n1000\n512\n",
                                       "2\n1000\n512\n1100\n512\n"};

    (void)state;
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        mlr_buf tar = BED_TAR_INIT;

        sparse_member(&tar, "9000", maps[i], strlen(maps[i]));
        bed_tar_end(&tar);
        assert_fails(&tar, NULL, MLREG_EPROTO, "outside");
        mlr_buf_done(&tar);
    }
}

static void test_archive__holes_count_as_unpacked(void **state)
{
    static const char        map[] = "3\n1000\n512\n4000\n512\n99999999999\n0\n";
    const mlr_archive_limits bytes = {.bytes = 5 * MIB};
    mlr_buf                  tar = BED_TAR_INIT;
    struct opened            o;

    (void)state;
    sparse_member(&tar, "99999999999", map, sizeof map - 1);
    bed_tar_end(&tar);
    assert_int_equal(open_and_walk(&o, &tar, NULL, true), MLREG_ELIMIT);
    assert_non_null(strstr(o.err->message, "1000 times"));
    done(&o);
    assert_fails(&tar, &bytes, MLREG_ELIMIT, "\"holey\" alone has 99999999999");
    mlr_buf_done(&tar);
}

/* The list of holes of one member, as long as one likes: libarchive keeps all of it in memory. */
static void test_archive__a_header_without_end_is_over_a_limit(void **state)
{
    char   *map = malloc(6 * MIB + 100);
    size_t  len = 0;
    mlr_buf tar = BED_TAR_INIT;

    (void)state;
    assert_non_null(map);
    len += (size_t)sprintf(map, "9999999\n");
    for (; len < 6 * MIB; len += 4)
        memcpy(map + len, "0\n0\n", 4);
    sparse_member(&tar, "9000", map, len);
    bed_tar_end(&tar);
    assert_fails(&tar, NULL, MLREG_ELIMIT, "header");
    mlr_buf_done(&tar);
    free(map);
}

static void test_archive__stops_at_the_limit_of_bytes(void **state)
{
    static const char content[100000];
    mlr_buf           tar = BED_TAR_INIT, packed = BED_TAR_INIT;

    (void)state;
    bed_tar_file(&tar, "a", content, sizeof content);
    bed_tar_file(&tar, "b", content, sizeof content);
    bed_tar_end(&tar);
    for (int i = 0; i < 3; i++) {
        struct opened            o;
        const mlr_archive_limits exact = {.bytes = tar.len}, less = {.bytes = tar.len - 1};

        mlr_buf_clear(&packed);
        compress(&packed, filters[i], &tar);
        assert_int_equal(open_and_walk(&o, &packed, &exact, true), 0);
        done(&o);
        assert_int_equal(open_and_walk(&o, &packed, &exact, false), 0);
        done(&o);
        assert_fails(&packed, &less, MLREG_ELIMIT, "bytes");
    }
    mlr_buf_done(&packed);
    mlr_buf_done(&tar);
}

static void test_archive__a_declared_size_over_the_limit_fails_at_once(void **state)
{
    const mlr_archive_limits limits = {.bytes = 1000000};
    mlr_buf                  tar = BED_TAR_INIT;
    struct opened            o;

    (void)state;
    bed_tar_header(&tar, '0', "huge", NULL, 1000001);
    assert_int_equal(open_bytes(&o, &tar, &limits, NULL), 0);
    assert_int_equal(mlr_archive_next(o.archive, &o.member, &o.err), MLREG_ELIMIT);
    assert_non_null(strstr(o.err->message, "\"huge\" alone has 1000001"));
    done(&o);
    mlr_buf_done(&tar);
}

static void test_archive__stops_at_the_limit_of_members(void **state)
{
    const mlr_archive_limits exact = {.members = 50}, less = {.members = 49};
    mlr_buf                  tar = BED_TAR_INIT;
    struct opened            o;

    (void)state;
    for (int i = 0; i < 50; i++)
        bed_tar_header(&tar, i % 2 == 0 ? '5' : '6', "again", NULL, 0);
    bed_tar_end(&tar);
    assert_int_equal(open_and_walk(&o, &tar, &exact, true), 0);
    done(&o);
    assert_fails(&tar, &less, MLREG_ELIMIT, "49 members");
    mlr_buf_done(&tar);
}

/* 1 GiB of zeros in one megabyte or less, as a member and behind the last one. */
static void test_archive__bombs_do_not_go_off(void **state)
{
    (void)state;
    for (int i = 1; i < 3; i++)
        for (int behind = 0; behind <= 1; behind++) {
            mlr_buf head = BED_TAR_INIT, packed = BED_TAR_INIT;

            bed_tar_header(&head, '0', "zeros", NULL, behind ? 0 : 1024 * MIB);
            if (behind)
                bed_tar_end(&head);
            bed_compress(&packed, filters[i], head.data, head.len);
            bed_compress_zeros(&packed, filters[i], 1024 * MIB);
            assert_true(packed.len < 2 * MIB);
            assert_fails(&packed, NULL, MLREG_ELIMIT, "1000 times its size");
            mlr_buf_done(&head);
            mlr_buf_done(&packed);
        }
}

/* Below 64 MiB any ratio will do, above it the limit counts. */
static void test_archive__the_ratio_counts_from_64_mib_on(void **state)
{
    const mlr_archive_limits limits = {.ratio = 10};

    (void)state;
    for (int over = 0; over <= 1; over++) {
        mlr_buf       head = BED_TAR_INIT, packed = BED_TAR_INIT;
        uint64_t      zeros = 64 * MIB - 3 * BED_TAR_BLOCK + (over ? BED_TAR_BLOCK : 0);
        struct opened o;

        bed_tar_header(&head, '0', "zeros", NULL, zeros);
        bed_compress(&packed, "gzip", head.data, head.len);
        bed_compress_zeros(&packed, "gzip", zeros + 2 * BED_TAR_BLOCK);
        if (over) {
            assert_fails(&packed, &limits, MLREG_ELIMIT, "10 times");
        } else {
            assert_int_equal(open_and_walk(&o, &packed, &limits, true), 0);
            done(&o);
        }
        mlr_buf_done(&head);
        mlr_buf_done(&packed);
    }
}

/* Cut at any place a plain tar is broken, or ends where a member does: some writers leave out the zeros at the end. */
static void test_archive__a_tar_cut_anywhere_is_broken(void **state)
{
    mlr_buf tar = BED_TAR_INIT;

    (void)state;
    small_tar(&tar);
    for (size_t len = 0; len < tar.len - 1024; len++) {
        const bool    at_member = len == 2048 || len == 2560;
        mlr_buf       part = {tar.data, len, 0, 0};
        struct opened o;
        int           rc = open_and_walk(&o, &part, NULL, len % 2 == 0);

        if (rc != (at_member ? 0 : MLREG_EPROTO))
            fail_msg("cut at %zu: %d", len, rc);
        done(&o);
    }
    mlr_buf_done(&tar);
}

static void test_archive__compressed_data_cut_anywhere_is_broken(void **state)
{
    mlr_buf tar = BED_TAR_INIT;

    (void)state;
    small_tar(&tar);
    for (int i = 1; i < 3; i++) {
        mlr_buf packed = BED_TAR_INIT;

        compress(&packed, filters[i], &tar);
        for (size_t len = 0; len < packed.len; len++) {
            mlr_buf       part = {packed.data, len, 0, 0};
            struct opened o;
            int           rc = open_and_walk(&o, &part, NULL, len % 2 == 0);

            if (rc != MLREG_EPROTO)
                fail_msg("%s cut at %zu of %zu: %d", filters[i], len, packed.len, rc);
            done(&o);
        }
        mlr_buf_done(&packed);
    }
    mlr_buf_done(&tar);
}

static void test_archive__survives_any_changed_byte(void **state)
{
    mlr_buf tar = BED_TAR_INIT;

    (void)state;
    small_tar(&tar);
    for (int i = 0; i < 3; i++) {
        mlr_buf packed = BED_TAR_INIT;

        compress(&packed, filters[i], &tar);
        for (size_t at = 0; at < packed.len; at++)
            for (int mask = 0x01; mask <= 0x80; mask *= 0x80) {
                struct opened o;
                int           rc;

                packed.data[at] ^= (char)mask;
                rc = open_and_walk(&o, &packed, NULL, true);
                assert_true(rc == 0 || rc == MLREG_EPROTO || rc == MLREG_ELIMIT);
                assert_int_equal(rc < 0, o.err != NULL);
                done(&o);
                packed.data[at] ^= (char)mask;
            }
        mlr_buf_done(&packed);
    }
    mlr_buf_done(&tar);
}

static void test_archive__other_formats_are_refused(void **state)
{
    static const struct { const char *what, *bytes; size_t len; } others[] = {
        {"nothing", "", 0}, {"one byte", "x", 1}, {"text", "#!/bin/sh\necho hello\n", 21},
        {"zip", "PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0a", 31},
        {"xz", "\xfd" "7zXZ\0\0\4\xe6\xd6\xb4\x46", 12}, {"bzip2", "BZh91AY&SY", 10},
        {"cpio", "070707000001000001100644000000000000000001000000000000000000000000200000000000a\0", 79},
        {"mtree", "#mtree\n/set type=file\na contents=/etc/passwd\n", 45}, {"ar", "!<arch>\n", 8},
        {"half a magic", "\x1f", 1}, {"gzip's magic alone", "\x1f\x8b", 2},
        {"zstd's magic alone", "\x28\xb5\x2f\xfd", 4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        char    block[1024] = {0};
        mlr_buf bytes = {block, others[i].len, 0, 0};

        memcpy(block, others[i].bytes, others[i].len);
        assert_fails(&bytes, NULL, MLREG_EPROTO, "unpacked");
        if (others[i].len > 0) {
            bytes.len = sizeof block;
            assert_fails(&bytes, NULL, MLREG_EPROTO, "unpacked");
        }
    }
}

static void test_archive__compressed_twice_is_refused(void **state)
{
    mlr_buf tar = BED_TAR_INIT, once = BED_TAR_INIT, twice = BED_TAR_INIT;

    (void)state;
    small_tar(&tar);
    compress(&once, "gzip", &tar);
    compress(&twice, "gzip", &once);
    assert_fails(&twice, NULL, MLREG_EPROTO, "more than once");
    mlr_buf_clear(&twice);
    compress(&twice, "zstd", &once);
    assert_fails(&twice, NULL, MLREG_EPROTO, "unpacked");
    mlr_buf_done(&tar);
    mlr_buf_done(&once);
    mlr_buf_done(&twice);
}

static void wrong_checksum(mlr_buf *tar)
{
    bed_tar_file(tar, "a", "x", 1);
    bed_tar_file(tar, "b", "x", 1);
    tar->data[1024] = 'c';
}

static void negative_size(mlr_buf *tar)
{
    bed_tar_header(tar, '0', "a", NULL, 0);
    memset(tar->data + 124, 0xff, 12);
    bed_tar_seal(tar);
}

static void malformed_pax(mlr_buf *tar)
{
    bed_tar_header(tar, 'x', "PaxHeader", NULL, 12);
    bed_tar_body(tar, "99 path=abc\n", 12);
    bed_tar_file(tar, "a", "x", 1);
}

static void too_many_headers(mlr_buf *tar)
{
    for (int i = 0; i < 40; i++)
        bed_tar_pax(tar, 'x', "comment", "and another");
    bed_tar_file(tar, "a", "x", 1);
}

static void header_too_large(mlr_buf *tar)
{
    char *value = malloc(1100001);

    assert_non_null(value);
    memset(value, 'v', 1100000);
    value[1100000] = '\0';
    bed_tar_pax(tar, 'x', "path", value);
    bed_tar_file(tar, "a", "x", 1);
    free(value);
}

static void unknown_sparse_format(mlr_buf *tar)
{
    bed_tar_pax(tar, 'x', "GNU.sparse.major", "7");
    bed_tar_file(tar, "a", "x", 1);
}

static void test_archive__broken_headers_are_refused(void **state)
{
    void (*const breaks[])(mlr_buf *) = {wrong_checksum,   negative_size,    malformed_pax,
                                         too_many_headers, header_too_large, unknown_sparse_format};

    (void)state;
    for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
        mlr_buf tar = BED_TAR_INIT;

        breaks[i](&tar);
        bed_tar_end(&tar);
        assert_fails(&tar, NULL, MLREG_EPROTO, "unpacked");
        mlr_buf_done(&tar);
    }
}

static void test_archive__running_out_of_memory_is_an_error(void **state)
{
    mlr_buf       tar = BED_TAR_INIT;
    failing_alloc f;

    (void)state;
    small_tar(&tar);
    for (int for_good = 0; for_good <= 1; for_good++)
        for (int n = 1, fired = 1; fired; n++) {
            struct opened o = {.reader = NULL};
            int           rc;

            assert_int_equal(mlr_reader_from_memory(tar.data, tar.len, "layer", &o.reader, NULL), 0);
            failing_alloc_arm(&f, n, for_good);
            if ((rc = mlr_archive_open(o.reader, NULL, NULL, &o.archive, &o.err)) == 0)
                rc = walk(&o, true);
            fired = failing_alloc_disarm(&f);
            assert_int_equal(rc, fired ? MLREG_ENOMEM : 0);
            done(&o);
        }
    mlr_buf_done(&tar);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_archive__the_readers_error_comes_through),
        cmocka_unit_test(test_archive__stops_when_cancelled),
        cmocka_unit_test(test_archive__stops_when_cancelled_on_the_way),
        cmocka_unit_test(test_archive__data_outside_of_its_file_is_broken),
        cmocka_unit_test(test_archive__holes_count_as_unpacked),
        cmocka_unit_test(test_archive__a_header_without_end_is_over_a_limit),
        cmocka_unit_test(test_archive__stops_at_the_limit_of_bytes),
        cmocka_unit_test(test_archive__a_declared_size_over_the_limit_fails_at_once),
        cmocka_unit_test(test_archive__stops_at_the_limit_of_members),
        cmocka_unit_test(test_archive__bombs_do_not_go_off),
        cmocka_unit_test(test_archive__the_ratio_counts_from_64_mib_on),
        cmocka_unit_test(test_archive__a_tar_cut_anywhere_is_broken),
        cmocka_unit_test(test_archive__compressed_data_cut_anywhere_is_broken),
        cmocka_unit_test(test_archive__survives_any_changed_byte),
        cmocka_unit_test(test_archive__other_formats_are_refused),
        cmocka_unit_test(test_archive__compressed_twice_is_refused),
        cmocka_unit_test(test_archive__broken_headers_are_refused),
        cmocka_unit_test(test_archive__running_out_of_memory_is_an_error),
    };

    return cmocka_run_group_tests_name("codec/archive_hostile", tests, NULL, NULL);
}
