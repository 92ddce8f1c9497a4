/* tests/codec/test_tarfile.c - where a file lies in a tar of its own, and what is no such tar. */
#include "codec/tarfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bed/tar.h"
#include "codec/tarhead.h"

static int find(const mlr_buf *tar, uint64_t *offset, uint64_t *bytes)
{
    mlr_reader *r = NULL;
    int rc = mlr_reader_from_memory(tar->data, tar->len, "test", &r, NULL);

    assert_int_equal(rc, 0);
    rc = mlr_tarfile_find(r, NULL, offset, bytes, NULL);
    mlr_reader_free(r);
    return rc;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tarfile__finds_the_file_behind_folders_and_pax),
        cmocka_unit_test(test_tarfile__our_own_begin_at_a_page),
        cmocka_unit_test(test_tarfile__refuses_all_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
