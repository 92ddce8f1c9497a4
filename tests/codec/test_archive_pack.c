/* tests/codec/test_archive_pack.c - bytes on their way into gzip or zstd, and back by somebody else's programs. */
#include "codec/archive_pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/fs.h"
#include "bed/artifact.h"
#include "bed/dir.h"

#define BYTES 300000u

static int new_dir(void **state)
{
    *state = bed_dir_new();
    return 0;
}

static int remove_dir(void **state)
{
    bed_dir_remove(*state);
    return 0;
}

static const char *bytes(void)
{
    static char data[BYTES];

    for (size_t i = 0; i < BYTES; i++)
        data[i] = (char)(i * 31 + i / 251);
    return data;
}

static mlr_digest pack(const char *path, mlr_pack how, const void *data, size_t len)
{
    mlr_reader *r = NULL;
    mlr_digest  plain = { "" };
    int         fd = -1;

    bed_assert_rc(mlr_reader_from_memory(data, len, "bytes", &r, &err), 0);
    bed_assert_rc(mlr_fs_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600, &fd, &err), 0);
    bed_assert_rc(mlr_pack_into(r, how, fd, NULL, &plain, &err), 0);
    mlr_fs_close(fd);
    mlr_reader_free(r);
    return plain;
}

static size_t output_of(const char *program, const char *path, char *out, size_t room)
{
    char   command[BED_PATH_MAX + 64];
    size_t n;
    FILE  *f;

    snprintf(command, sizeof command, "%s -dc < '%s'", program, path);
    f = popen(command, "re");
    assert_non_null(f);
    n = fread(out, 1, room, f);
    assert_int_equal(pclose(f), 0);
    return n;
}

static size_t by_gzip(const char *path, char *out, size_t room)
{
    return output_of("gzip", path, out, room);
}

static size_t by_libarchive(const char *path, char *out, size_t room)
{
    struct archive       *a = archive_read_new();
    struct archive_entry *entry;
    la_ssize_t            n;

    archive_read_support_filter_all(a);
    archive_read_support_format_raw(a);
    assert_int_equal(archive_read_open_filename(a, path, 4096), ARCHIVE_OK);
    assert_int_equal(archive_read_next_header(a, &entry), ARCHIVE_OK);
    n = archive_read_data(a, out, room);
    archive_read_free(a);
    return (size_t)n;
}

static void assert_unpacked(size_t (*unpack)(const char *path, char *out, size_t room), const char *dir, mlr_pack how)
{
    static char got[BYTES + 1];
    mlr_digest  want, plain;

    plain = pack(bed_at(dir, "packed"), how, bytes(), BYTES);
    mlr_digest_of(bytes(), BYTES, &want);
    assert_string_equal(plain.text, want.text);
    assert_int_equal(unpack(bed_at(dir, "packed"), got, sizeof got), BYTES);
    assert_memory_equal(got, bytes(), BYTES);
}

static void test_archive_pack__gzip_is_unpacked_by_gzip(void **state)
{
    assert_unpacked(by_gzip, *state, MLR_PACK_GZIP);
}

static void test_archive_pack__zstd_is_unpacked_by_libarchive(void **state)
{
    assert_unpacked(by_libarchive, *state, MLR_PACK_ZSTD);
}

static void test_archive_pack__the_same_bytes_give_the_same_file(void **state)
{
    char first[4096], second[4096];
    FILE *f;
    size_t n;

    pack(bed_at(*state, "a"), MLR_PACK_GZIP, bytes(), 1000);
    pack(bed_at(*state, "b"), MLR_PACK_GZIP, bytes(), 1000);
    assert_non_null(f = fopen(bed_at(*state, "a"), "re"));
    n = fread(first, 1, sizeof first, f);
    fclose(f);
    assert_true(n > 10);
    assert_non_null(f = fopen(bed_at(*state, "b"), "re"));
    assert_int_equal(fread(second, 1, sizeof second, f), n);
    fclose(f);
    assert_memory_equal(first, second, n);
    assert_memory_equal(first + 4, "\0\0\0\0", 4);        /* RFC 1952: no time */
}

static void test_archive_pack__nothing_is_packed_too(void **state)
{
    char got[8];
    mlr_digest want, plain = pack(bed_at(*state, "packed"), MLR_PACK_GZIP, "", 0);

    mlr_digest_of("", 0, &want);
    assert_string_equal(plain.text, want.text);
    assert_int_equal(output_of("gzip", bed_at(*state, "packed"), got, sizeof got), 0);
}

static void test_archive_pack__says_how_media_types_end(void **state)
{
    (void)state;
    assert_string_equal(mlr_pack_suffix(MLR_PACK_NONE), "");
    assert_string_equal(mlr_pack_suffix(MLR_PACK_GZIP), "+gzip");
    assert_string_equal(mlr_pack_suffix(MLR_PACK_ZSTD), "+zstd");
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, new_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(test_archive_pack__gzip_is_unpacked_by_gzip),
        IN_DIR(test_archive_pack__zstd_is_unpacked_by_libarchive),
        IN_DIR(test_archive_pack__the_same_bytes_give_the_same_file),
        IN_DIR(test_archive_pack__nothing_is_packed_too),
        cmocka_unit_test(test_archive_pack__says_how_media_types_end),
    };
    return cmocka_run_group_tests_name("codec/archive_pack", tests, NULL, NULL);
}
