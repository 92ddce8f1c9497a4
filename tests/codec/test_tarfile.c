/* tests/codec/test_tarfile.c - where a file lies in a tar of its own, and what is no such tar. */
#include "codec/tarfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/error.h"
#include "bed/tar.h"
#include "codec/tarhead.h"

static int find_or_say(const mlr_buf *tar, uint64_t *offset, uint64_t *bytes, mlreg_error **err)
{
    mlr_reader *r = NULL;
    int rc = mlr_reader_from_memory(tar->data, tar->len, "test", &r, NULL);

    assert_int_equal(rc, 0);
    rc = mlr_tarfile_find(r, NULL, offset, bytes, err);
    mlr_reader_free(r);
    return rc;
}

static int find(const mlr_buf *tar, uint64_t *offset, uint64_t *bytes)
{
    return find_or_say(tar, offset, bytes, NULL);
}

static void test_tarfile__finds_the_file_behind_folders_and_pax(void **state)
{
    mlr_buf tar = BED_TAR_INIT;
    uint64_t offset = 0, bytes = 0;

    (void)state;
    bed_tar_header(&tar, '5', "models/", NULL, 0);
    bed_tar_pax(&tar, 'x', "size", "4");
    bed_tar_header(&tar, '0', "models/a", NULL, 4);
    bed_tar_body(&tar, "GGUF", 4);
    bed_tar_end(&tar);
    assert_int_equal(find(&tar, &offset, &bytes), 0);
    assert_int_equal(bytes, 4);
    assert_memory_equal(tar.data + offset, "GGUF", 4);
    mlr_buf_done(&tar);
}

static void test_tarfile__our_own_begin_at_a_page(void **state)
{
    static const mlr_member dir = { .kind = MLR_MEMBER_DIR, .name = "models", .mode = 0755 };
    static char page[5000] = "bytes";
    mlr_member file = { .kind = MLR_MEMBER_FILE, .name = "models/a", .mode = 0644, .bytes = sizeof page };
    mlr_buf tar = BED_TAR_INIT;
    uint64_t offset = 0, bytes = 0;

    (void)state;
    assert_int_equal(mlr_tarhead_put(&dir, 0, false, &tar, NULL), 0);
    assert_int_equal(mlr_tarhead_put(&file, tar.len, true, &tar, NULL), 0);
    bed_tar_body(&tar, page, sizeof page);
    bed_tar_end(&tar);
    assert_int_equal(find(&tar, &offset, &bytes), 0);
    assert_int_equal(offset % MLR_TAR_PAGE_BYTES, 0);
    assert_int_equal(bytes, sizeof page);
    assert_memory_equal(tar.data + offset, page, sizeof page);
    mlr_buf_done(&tar);
}

static void refused(mlr_buf *tar)
{
    uint64_t offset, bytes;

    assert_int_equal(find(tar, &offset, &bytes), MLREG_ENOTSUP);
    mlr_buf_done(tar);
}

static void test_tarfile__refuses_all_else(void **state)
{
    mlr_buf two = BED_TAR_INIT, link = BED_TAR_INIT, none = BED_TAR_INIT, cut = BED_TAR_INIT, huge = BED_TAR_INIT, text = BED_TAR_INIT, sum = BED_TAR_INIT;

    (void)state;
    bed_tar_file(&two, "a", "1", 1);
    bed_tar_file(&two, "b", "2", 1);
    bed_tar_end(&two);
    refused(&two);
    bed_tar_header(&link, '2', "a", "b", 0);
    bed_tar_end(&link);
    refused(&link);
    bed_tar_header(&none, '5', "a/", NULL, 0);
    bed_tar_end(&none);
    refused(&none);
    bed_tar_header(&cut, '0', "a", NULL, 100);
    refused(&cut);
    bed_tar_pax(&huge, 'x', "size", "18446744073709551615");
    bed_tar_file(&huge, "a", "1", 1);
    bed_tar_end(&huge);
    refused(&huge);
    bed_tar_bytes(&text, "no tar", 6);
    refused(&text);
    bed_tar_file(&sum, "a", "1", 1);
    sum.data[0] = 'b';
    bed_tar_end(&sum);
    refused(&sum);
}

/* GNU tar and libarchive write a file with holes so: what lies in the tar is a map and the pieces between the holes. */
static void test_tarfile__a_file_with_holes_is_said_to_have_them(void **state)
{
    static const char *const records[][2] = {
        { "GNU.sparse.major", "1" }, { "GNU.sparse.numblocks", "1" }, { "GNU.sparse.realsize", "10" }, { "GNU.sparse.map", "0,1" },
    };
    mlr_buf tar = BED_TAR_INIT;

    (void)state;
    for (size_t i = 0; i <= sizeof records / sizeof *records; i++) {
        bool old = i == sizeof records / sizeof *records;      /* before pax it was a type */
        mlreg_error *err = NULL;

        mlr_buf_clear(&tar);
        if (!old)
            bed_tar_pax(&tar, 'x', records[i][0], records[i][1]);
        bed_tar_header(&tar, old ? 'S' : '0', "GNUSparseFile.0/a", NULL, 4);
        bed_tar_body(&tar, "GGUF", 4);
        bed_tar_end(&tar);
        assert_int_equal(find_or_say(&tar, &(uint64_t){0}, &(uint64_t){0}, &err), MLREG_ENOTSUP);
        assert_string_equal(err->message, "test is a tar that leaves out the holes of its file");
        assert_non_null(strstr(err->hint, "unpack"));
        mlr_error_done(err);
    }
    mlr_buf_done(&tar);
}

/* GNU tar's for 8 GiB and more: a bit, then eleven bytes. */
static void put_binary_size(mlr_buf *tar, const char *size)
{
    bed_tar_header(tar, '0', "a", NULL, 0);
    memcpy(tar->data + tar->len - BED_TAR_BLOCK + 124, size, 12);
    bed_tar_seal(tar);
    bed_tar_body(tar, "GGUF", 4);
    bed_tar_end(tar);
}

static void test_tarfile__reads_binary_sizes_whole(void **state)
{
    static const char four[12] = "\x80\0\0\0\0\0\0\0\0\0\0\x04", below_zero[12] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfc";
    static const char beyond[][12] = {
        "\x80\0\0\x01\0\0\0\0\0\0\0\x04", "\x80\x01\0\0\0\0\0\0\0\0\0\x04", "\x81\0\0\0\0\0\0\0\0\0\0\x04",
        "\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
    };
    mlr_buf tar = BED_TAR_INIT, negative = BED_TAR_INIT;
    uint64_t offset = 0, bytes = 0;

    (void)state;
    put_binary_size(&tar, four);
    assert_int_equal(find(&tar, &offset, &bytes), 0);
    assert_int_equal(bytes, 4);
    mlr_buf_done(&tar);
    put_binary_size(&negative, below_zero);
    refused(&negative);
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        mlr_buf more = BED_TAR_INIT;

        put_binary_size(&more, beyond[i]);
        refused(&more);
    }
}

static void test_tarfile__a_size_is_digits_and_nothing_else(void **state)
{
    static const char *const sizes[] = { "4x", "4 ", "-4", "", "0x4" };

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        mlr_buf tar = BED_TAR_INIT;

        bed_tar_pax(&tar, 'x', "size", sizes[i]);
        bed_tar_file(&tar, "a", "GGUF", 4);
        bed_tar_end(&tar);
        refused(&tar);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tarfile__finds_the_file_behind_folders_and_pax),
        cmocka_unit_test(test_tarfile__our_own_begin_at_a_page),
        cmocka_unit_test(test_tarfile__refuses_all_else),
        cmocka_unit_test(test_tarfile__a_file_with_holes_is_said_to_have_them),
        cmocka_unit_test(test_tarfile__reads_binary_sizes_whole),
        cmocka_unit_test(test_tarfile__a_size_is_digits_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
